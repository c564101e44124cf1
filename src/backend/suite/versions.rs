//! In a bucket that keeps versions.

use super::*;

impl Suite<'_> {
    pub(in crate::backend) async fn versions_are_kept(&self) {
        let first = self.put("v/k", b"1", OnlyIf::Always).await.unwrap().version_id.unwrap();
        let second = self.put("v/k", b"22", OnlyIf::Always).await.unwrap().version_id.unwrap();
        self.put("v/deep/k", b"x", OnlyIf::Always).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(self.read("v/k", Some(&first)).await.unwrap(), b"1");
        assert_eq!(self.read("v/k", None).await.unwrap(), b"22");
        assert_eq!(self.head("v/k").await.unwrap().version_id.as_deref(), Some(second.as_str()));

        let marker = self.delete("v/k", None).await.unwrap();
        assert!(marker.delete_marker, "{marker:?}");
        let marker = marker.version_id.unwrap();
        assert_eq!(self.head("v/k").await, Err(Trouble::NoSuchKey));
        assert_eq!(self.read("v/k", None).await, Err(Trouble::NoSuchKey));
        assert_eq!(self.read("v/k", Some(&second)).await.unwrap(), b"22");
        let unreadable = if self.knows.delete_markers { Trouble::DeleteMarker } else { Trouble::NoSuchKey };
        assert_eq!(self.read("v/k", Some(&marker)).await, Err(unreadable));
        let head = self.source.head(&self.bucket, &key("v/k"), Some(&marker), None).await;
        assert!(matches!(head, Err(Trouble::DeleteMarker | Trouble::NoSuchVersion)), "{head:?}");

        let all = ["v/deep/k* 1", "v/k* deleted", "v/k 2", "v/k 1"];
        assert_eq!(self.version_names("v/", None, 1000).await, all);
        assert_eq!(self.version_names("v/", None, 1).await, all);
        assert_eq!(self.version_names("v/", Some("/"), 1).await, ["v/deep/…", "v/k* deleted", "v/k 2", "v/k 1"]);

        let source = self.copy_source("v/k", Some(&first));
        let seen = self.source.source(&source).await.unwrap();
        let op = CopyObject { source, ..self.copy_op("v/k", "v/old") };
        let copied = self.source.copy(&op, OnlyIf::Always, &seen.etag).await.unwrap();
        assert_eq!(copied.source_version.as_ref(), Some(&first));
        assert!(copied.stored.version_id.is_some());
        assert_eq!(self.read("v/old", None).await.unwrap(), b"1");

        let back = self.delete("v/k", Some(&marker)).await.unwrap();
        assert_eq!(back, Deleted { version_id: Some(marker.clone()), delete_marker: true });
        assert_eq!(self.read("v/k", None).await.unwrap(), b"22");
        let ops = [self.delete_op("v/k", Some(&second)), self.delete_op("v/old", None)];
        let gone = self.source.delete_all(&ops.iter().collect::<Vec<_>>()).await;
        assert_eq!(gone[0], Ok(Deleted { version_id: Some(second.clone()), delete_marker: false }));
        assert!(gone[1].as_ref().is_ok_and(|gone| gone.delete_marker && gone.version_id.is_some()), "{gone:?}");
        assert_eq!(self.read("v/k", None).await.unwrap(), b"1");
        assert_eq!(self.read("v/k", Some(&second)).await, Err(Trouble::NoSuchVersion));
    }

    pub(in crate::backend) async fn trials_leave_no_versions(&self) {
        assert_eq!(self.source.conditional_writes(&self.bucket).await, Ok(self.knows.conditions));
        assert_eq!(self.version_names(".tracegate/", None, 1000).await, Vec::<String>::new());
        self.put("cv/k", b"1", OnlyIf::Always).await.unwrap();
        self.delete("cv/k", None).await.unwrap();
        self.put("cv/k", b"2", OnlyIf::Absent).await.unwrap();
    }
}
