//! Uploads in parts, and copies.

use super::*;

impl Suite<'_> {
    pub(in crate::backend) async fn parts_become_an_object(&self) {
        let head = NewHead {
            content_type: Some("application/x-ndjson".to_owned()),
            user_metadata: [("run".to_owned(), "8".to_owned())].into(),
            ..NewHead::default()
        };
        let id = self.begin("parts/k", head).await;
        let (one, two) = (bytes(limits::PART_BYTES_MIN as usize, 1), bytes(10, 2));
        if self.knows.overwritten_parts {
            self.part("parts/k", &id, 2, Bytes::from_static(b"old")).await.unwrap();
        }
        let parts = [
            self.part("parts/k", &id, 2, one.clone()).await.unwrap(),
            self.part("parts/k", &id, 7, two.clone()).await.unwrap(),
        ];
        assert_eq!(parts[0].etag, md5_tag(&one));
        let list = |after, max_parts| ListParts {
            bucket: self.bucket.clone(),
            key: key("parts/k"),
            upload: id.clone(),
            after,
            max_parts,
        };
        let page = self.source.parts(&list(0, 1000)).await.unwrap();
        let seen: Vec<_> = page.parts.iter().map(|part| (part.part, part.size, &part.etag)).collect();
        assert_eq!(seen, [(2, limits::PART_BYTES_MIN, &parts[0].etag), (7, 10, &parts[1].etag)]);
        assert_eq!(page.more_after, None);
        let first = self.source.parts(&list(0, 1)).await.unwrap();
        assert_eq!((first.parts.len(), first.more_after), (1, Some(2)));
        let rest = self.source.parts(&list(2, 1)).await.unwrap();
        assert_eq!((rest.parts.len(), rest.parts[0].part, rest.more_after), (1, 7, None));

        assert_eq!(self.head("parts/k").await, Err(Trouble::NoSuchKey), "not before it is complete");
        let stored = self.complete("parts/k", &id, &parts, OnlyIf::Always).await.unwrap();
        let sums = [Md5::digest(&one).to_vec(), Md5::digest(&two).to_vec()].concat();
        assert_eq!(*etag(&stored).0, format!("{}-2", hex::encode(Md5::digest(&sums))));
        assert_eq!(self.read("parts/k", None).await.unwrap(), [one, two].concat());
        let found = self.head("parts/k").await.unwrap();
        assert_eq!(found.content_type.as_deref(), Some("application/x-ndjson"));
        assert_eq!(found.user_metadata.get("run").map(String::as_str), Some("8"));
        let late = self.part("parts/k", &id, 1, Bytes::from_static(b"late")).await.map(drop);
        assert_eq!(late, Err(Trouble::NoSuchUpload));
    }

    /// The checksum of a part comes behind it, and an upload that was begun for such takes no part without one.
    pub(in crate::backend) async fn parts_carry_their_checksums(&self) {
        let plan = ChecksumPlan { algorithm: Algorithm::Crc32, full_object: None };
        let (bucket, head) = (self.bucket.clone(), NewHead::default());
        let op = CreateMultipartUpload { bucket, key: key("sums/k"), head, checksum: Some(plan) };
        let id = self.source.begin(&op).await.unwrap();
        let mut parts = Vec::new();
        for (part, ahead) in [(1, true), (2, false)] {
            let body = bytes(limits::PART_BYTES_MIN as usize, part);
            let mut hasher = Hasher::new(Algorithm::Crc32);
            hasher.update(&body);
            let checksum = hasher.finish();
            let fate = if ahead { Fate::default() } else { Fate::announcing(Some(Algorithm::Crc32)) };
            fate.verify(checksum.clone());
            let ahead = ahead.then(|| checksum.clone());
            let sent = Upload { checksum: ahead, fate: Arc::new(fate), ..upload(body) };
            let op = UploadPart { bucket: self.bucket.clone(), key: key("sums/k"), upload: id.clone(), part };
            let stored = self.source.put_part(&op, sent).await.unwrap();
            assert!(!self.knows.checksums || stored.checksum.as_ref() == Some(&checksum), "{stored:?}");
            parts.push(PartNamed { part, etag: etag(&stored), checksum: Some(checksum) });
        }
        let stored = self.complete("sums/k", &id, &parts, OnlyIf::Always).await.unwrap();
        let told = stored.checksum.map(|checksum| checksum.value.ends_with("-2"));
        assert!(!self.knows.checksums || told == Some(true));
        let body = [1, 2].map(|seed| bytes(limits::PART_BYTES_MIN as usize, seed)).concat();
        assert_eq!(self.read("sums/k", None).await.unwrap(), body);
    }

    pub(in crate::backend) async fn wrong_parts_become_none(&self) {
        let id = self.begin("wrong/k", NewHead::default()).await;
        let one = self.part("wrong/k", &id, 1, Bytes::from_static(b"small")).await.unwrap();
        let two = self.part("wrong/k", &id, 2, Bytes::from_static(b"too")).await.unwrap();
        let other = PartNamed { etag: md5_tag(b"other"), ..two.clone() };
        let none = PartNamed { part: 9, ..two.clone() };
        for (parts, want) in [
            (vec![two.clone(), one.clone()], Trouble::InvalidPartOrder),
            (vec![other], Trouble::InvalidPart),
            (vec![none], Trouble::InvalidPart),
            (vec![one.clone(), two.clone()], Trouble::TooSmall),
        ] {
            assert_eq!(self.complete("wrong/k", &id, &parts, OnlyIf::Always).await, Err(want), "{parts:?}");
        }
        let op = UploadPart { bucket: self.bucket.clone(), key: key("wrong/k"), upload: id.clone(), part: 3 };
        let refused = self.source.put_part(&op, broken_upload(100_000, UploadError::Signature)).await;
        assert_eq!(refused, Err(Trouble::Upload(UploadError::Signature)));
        self.abort("wrong/k", &id).await.unwrap();
        let gone = self.complete("wrong/k", &id, &[one], OnlyIf::Always).await;
        assert_eq!(gone, Err(Trouble::NoSuchUpload));
        assert_eq!(self.head("wrong/k").await, Err(Trouble::NoSuchKey));
    }

    pub(in crate::backend) async fn uploads_are_listed(&self) {
        let mut ids = Vec::new();
        for name in ["up/a b", "up/c", "up/c", "up2/d"] {
            ids.push((name, self.begin(name, NewHead::default()).await));
        }
        let mut seen = Vec::new();
        let mut after = None;
        for _ in 0..10 {
            let ask = UploadsAsk { prefix: "up/".to_owned(), after: after.take(), max: 2 };
            let page = self.source.uploads(&self.bucket, ask).await.unwrap();
            seen.extend(page.uploads.into_iter().map(|upload| (upload.key.to_string(), upload.id)));
            after = page.more_after;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["up/a b", "up/c", "up/c"]);
        let known = |name: &str, id: &str| ids.iter().any(|(n, i)| *n == name && &*i.inside == id);
        assert!(seen.iter().all(|(name, id)| known(name, id)), "{seen:?}");
        for (name, id) in ids {
            self.abort(name, &id).await.unwrap();
        }
    }

    pub(in crate::backend) async fn objects_are_copied(&self) {
        let head = NewHead {
            content_type: Some("text/plain".to_owned()),
            user_metadata: [("run".to_owned(), "7".to_owned())].into(),
            tags: vec![tag("a", "1")],
            ..NewHead::default()
        };
        let from = "copy/a b+c%2Fé?x";
        let op = PutObject { head, ..self.put_op(from, OnlyIf::Always) };
        let stored = self.source.put(&op, OnlyIf::Always, upload(&b"source"[..])).await.unwrap();
        let seen = self.source.source(&self.copy_source(from, None)).await.unwrap();
        assert_eq!(seen.etag, etag(&stored));

        let same = self.source.copy(&self.copy_op(from, "copy/same"), OnlyIf::Always, &seen.etag).await.unwrap();
        assert_eq!(same.stored.etag, Some(md5_tag(b"source")));
        assert_eq!(self.read("copy/same", None).await.unwrap(), b"source");
        let found = self.head("copy/same").await.unwrap();
        assert_eq!(found.content_type.as_deref(), Some("text/plain"));
        assert_eq!(found.user_metadata.get("run").map(String::as_str), Some("7"));
        assert_eq!(self.tags("copy/same").await.unwrap(), [tag("a", "1")]);

        let new = NewHead {
            content_type: Some("text/html".to_owned()),
            user_metadata: [("walk".to_owned(), "9".to_owned())].into(),
            ..NewHead::default()
        };
        let op = CopyObject { head: Some(new), tags: Some(vec![tag("b", "2")]), ..self.copy_op(from, "copy/new") };
        self.source.copy(&op, OnlyIf::Always, &seen.etag).await.unwrap();
        let found = self.head("copy/new").await.unwrap();
        assert_eq!(found.content_type.as_deref(), Some("text/html"));
        assert_eq!(found.user_metadata.keys().collect::<Vec<_>>(), ["walk"]);
        assert_eq!(self.tags("copy/new").await.unwrap(), [tag("b", "2")]);

        let other = ETag("0".repeat(32).into());
        let changed = self.source.copy(&self.copy_op(from, "copy/none"), OnlyIf::Always, &other).await;
        assert_eq!(changed, Err(Trouble::Changed));
        let missing = self.source.copy(&self.copy_op("copy/none", "copy/x"), OnlyIf::Always, &other).await;
        assert_eq!(missing, Err(Trouble::NoSuchKey));
        assert_eq!(self.head("copy/x").await, Err(Trouble::NoSuchKey));
    }

    pub(in crate::backend) async fn parts_are_copied(&self) {
        let stored = self.put("pc/source", b"0123456789", OnlyIf::Always).await.unwrap();
        let id = self.begin("pc/k", NewHead::default()).await;
        let range = Some(RangeAsk::Span { first: 2, last: Some(5) });
        let op = UploadPartCopy {
            source: self.copy_source("pc/source", None),
            range,
            bucket: self.bucket.clone(),
            key: key("pc/k"),
            upload: id.clone(),
            part: 1,
        };
        let other = ETag("0".repeat(32).into());
        assert_eq!(self.source.copy_part(&op, &other).await, Err(Trouble::Changed));
        let copied = self.source.copy_part(&op, &etag(&stored)).await.unwrap();
        let parts = [PartNamed { part: 1, etag: etag(&copied.stored), checksum: None }];
        self.complete("pc/k", &id, &parts, OnlyIf::Always).await.unwrap();
        assert_eq!(self.read("pc/k", None).await.unwrap(), b"2345");
    }
}
