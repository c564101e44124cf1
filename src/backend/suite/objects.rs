//! One object at a time: put, deleted, tagged.

use super::*;

impl Suite<'_> {
    pub(in crate::backend) async fn objects_are_put_with_their_heads(&self) {
        let head = NewHead {
            content_type: Some("application/json".to_owned()),
            content_disposition: Some("inline".to_owned()),
            content_language: Some("en".to_owned()),
            cache_control: Some("no-cache".to_owned()),
            user_metadata: [("run".to_owned(), "7".to_owned())].into(),
            tags: vec![tag("a b", "c+d=é/@"), tag("empty", "")],
            ..NewHead::default()
        };
        let body = bytes(200_000, 1);
        let op = PutObject { head, ..self.put_op("put/a b+c%2Fé", OnlyIf::Always) };
        let stored = self.source.put(&op, OnlyIf::Always, upload(body.clone())).await.unwrap();
        assert_eq!(stored.etag, Some(md5_tag(&body)));
        assert_eq!(self.read("put/a b+c%2Fé", None).await.unwrap(), body);
        let found = self.head("put/a b+c%2Fé").await.unwrap();
        assert_eq!((found.size, &found.etag), (200_000, &md5_tag(&body)));
        assert_eq!(found.content_type.as_deref(), Some("application/json"));
        assert_eq!(found.content_disposition.as_deref(), Some("inline"));
        assert_eq!(found.content_language.as_deref(), Some("en"));
        assert_eq!(found.cache_control.as_deref(), Some("no-cache"));
        assert_eq!(found.user_metadata.get("run").map(String::as_str), Some("7"));
        assert_eq!(self.tags("put/a b+c%2Fé").await.unwrap(), op.head.tags);

        self.put("put/empty", b"", OnlyIf::Always).await.unwrap();
        assert_eq!(self.read("put/empty", None).await.unwrap(), b"");
        let missing = Suite { bucket: "no-such-bucket-here".parse().unwrap(), ..*self };
        assert_eq!(missing.put("k", b"x", OnlyIf::Always).await, Err(Trouble::NoSuchBucket));
    }

    pub(in crate::backend) async fn checksums_are_passed_on(&self) {
        let body = bytes(1000, 2);
        let sum = |bytes: &[u8]| STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes()).into();
        let checksum = Checksum { algorithm: Algorithm::Crc32c, value: sum(&body) };
        let md5 = Some(STANDARD.encode(Md5::digest(&body)).into());
        let sent = Upload { checksum: Some(checksum.clone()), md5: md5.clone(), ..upload(body.clone()) };
        let stored = self.source.put(&self.put_op("sum/k", OnlyIf::Always), OnlyIf::Always, sent).await.unwrap();
        if self.knows.checksums {
            assert_eq!(stored.checksum, Some(checksum.clone()));
            let attributes = self.source.attributes(&self.bucket, &key("sum/k"), None).await.unwrap();
            assert_eq!(attributes.checksums.get("ChecksumCRC32C").map(String::as_str), Some(&*checksum.value));
        }
        let other = Upload { md5, ..upload(bytes(1000, 3)) };
        let refused = self.source.put(&self.put_op("sum/bad", OnlyIf::Always), OnlyIf::Always, other).await;
        assert_eq!(refused, Err(Trouble::BadDigest));
        assert_eq!(self.head("sum/bad").await, Err(Trouble::NoSuchKey));
    }

    pub(in crate::backend) async fn what_breaks_off_is_not_stored(&self) {
        for length in [10, 3_000_000] {
            for error in [UploadError::Incomplete, UploadError::Checksum] {
                let op = self.put_op("broken/k", OnlyIf::Always);
                let refused = self.source.put(&op, OnlyIf::Always, broken_upload(length, error)).await;
                assert_eq!(refused, Err(Trouble::Upload(error)), "{length}");
                assert_eq!(self.head("broken/k").await, Err(Trouble::NoSuchKey), "{length}");
            }
        }
        // An empty body has no last piece that could be held back.
        let failing = Upload { length: 0, ..broken_upload(0, UploadError::Checksum) };
        let refused = self.source.put(&self.put_op("broken/k", OnlyIf::Always), OnlyIf::Always, failing).await;
        assert_eq!(refused, Err(Trouble::Upload(UploadError::Checksum)));
        let longer = Upload { length: 99, ..upload(vec![b'x'; 100]) };
        let refused = self.source.put(&self.put_op("broken/k", OnlyIf::Always), OnlyIf::Always, longer).await;
        assert_eq!(refused, Err(Trouble::Upload(UploadError::Malformed)));
        assert_eq!(self.head("broken/k").await, Err(Trouble::NoSuchKey));
    }

    pub(in crate::backend) async fn writes_hold_their_conditions(&self) {
        if self.knows.conditions.put {
            let first = self.put("cond/k", b"first", OnlyIf::Absent).await.unwrap();
            assert_eq!(self.put("cond/k", b"second", OnlyIf::Absent).await, Err(Trouble::Occupied));
            let other = OnlyIf::Matches(ETag("0".repeat(32).into()));
            assert_eq!(self.put("cond/k", b"second", other.clone()).await, Err(Trouble::Occupied));
            assert_eq!(self.read("cond/k", None).await.unwrap(), b"first");
            self.put("cond/k", b"third", OnlyIf::Matches(etag(&first))).await.unwrap();
            assert_eq!(self.read("cond/k", None).await.unwrap(), b"third");
        }
        if self.knows.conditions.complete {
            self.put("cond/complete", b"first", OnlyIf::Always).await.unwrap();
            let id = self.begin("cond/complete", NewHead::default()).await;
            let parts = [self.part("cond/complete", &id, 1, Bytes::from_static(b"second")).await.unwrap()];
            let refused = self.complete("cond/complete", &id, &parts, OnlyIf::Absent).await;
            assert_eq!(refused, Err(Trouble::Occupied));
            self.abort("cond/complete", &id).await.unwrap();
            assert_eq!(self.read("cond/complete", None).await.unwrap(), b"first");
        }
        if self.knows.conditions.copy {
            self.put("cond/copied", b"first", OnlyIf::Always).await.unwrap();
            let source = self.put("cond/source", b"second", OnlyIf::Always).await.unwrap();
            let op = self.copy_op("cond/source", "cond/copied");
            assert_eq!(self.source.copy(&op, OnlyIf::Absent, &etag(&source)).await, Err(Trouble::Occupied));
            let other = ETag("0".repeat(32).into());
            let fresh = self.copy_op("cond/source", "cond/fresh");
            assert_eq!(self.source.copy(&fresh, OnlyIf::Absent, &other).await, Err(Trouble::Changed));
            assert_eq!(self.read("cond/copied", None).await.unwrap(), b"first");
            self.source.copy(&fresh, OnlyIf::Absent, &etag(&source)).await.unwrap();
        }
    }

    pub(in crate::backend) async fn keys_are_deleted(&self) {
        for name in ["del/a", "del/b", "del/<&>\"é"] {
            self.put(name, b"x", OnlyIf::Always).await.unwrap();
        }
        assert_eq!(self.delete("del/a", None).await, Ok(Deleted::default()));
        assert_eq!(self.head("del/a").await, Err(Trouble::NoSuchKey));
        assert_eq!(self.delete("del/none", None).await, Ok(Deleted::default()));
        let ops = ["del/<&>\"é", "del/none", "del/b"].map(|name| self.delete_op(name, None));
        let gone = self.source.delete_all(&ops.iter().collect::<Vec<_>>()).await;
        assert_eq!(gone, vec![Ok(Deleted::default()); 3]);
        for name in ["del/b", "del/<&>\"é"] {
            assert_eq!(self.head(name).await, Err(Trouble::NoSuchKey), "{name}");
        }
        assert!(self.source.delete_all(&[]).await.is_empty());
    }

    pub(in crate::backend) async fn tags_are_set(&self) {
        self.put("tags/k", b"x", OnlyIf::Always).await.unwrap();
        assert_eq!(self.tags("tags/k").await, Ok(vec![]));
        self.set_tags("tags/k", Some(vec![tag("a", "1"), tag("b", "2 + 3 = 5")])).await.unwrap();
        assert_eq!(self.tags("tags/k").await, Ok(vec![tag("a", "1"), tag("b", "2 + 3 = 5")]));
        self.set_tags("tags/k", Some(vec![tag("c", "")])).await.unwrap();
        assert_eq!(self.tags("tags/k").await, Ok(vec![tag("c", "")]));
        self.set_tags("tags/k", None).await.unwrap();
        assert_eq!(self.tags("tags/k").await, Ok(vec![]));
        assert_eq!(self.tags("tags/none").await, Err(Trouble::NoSuchKey));
        assert_eq!(self.set_tags("tags/none", Some(vec![tag("a", "1")])).await, Err(Trouble::NoSuchKey));
    }

    pub(in crate::backend) async fn conditional_writes_are_tried(&self) {
        assert_eq!(self.source.conditional_writes(&self.bucket).await, Ok(self.knows.conditions));
        self.nothing_is_left_of_trials().await;
    }

    pub(in crate::backend) async fn nothing_is_left_of_trials(&self) {
        let ask = Ask { prefix: ".tracegate/".to_owned(), after: None, delimiter: None, max: 10 };
        assert_eq!(self.source.list(&self.bucket, ask).await.unwrap().items, []);
        let ask = UploadsAsk { prefix: ".tracegate/".to_owned(), after: None, max: 10 };
        assert_eq!(self.source.uploads(&self.bucket, ask).await.unwrap().uploads, []);
    }
}
