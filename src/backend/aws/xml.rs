//! The documents of S3, read element by element: names without namespaces, text with its entities resolved. Pure.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::limits;

/// The names that count; any other is nameless.
const NAMES: [&str; 16] = [
    "ActualObjectSize",
    "Code",
    "CommonPrefixes",
    "Contents",
    "ETag",
    "EncodingType",
    "Error",
    "IsTruncated",
    "Key",
    "LastModified",
    "ListBucketResult",
    "Message",
    "NextContinuationToken",
    "Prefix",
    "Size",
    "StorageClass",
];

/// Tells of each element as it ends: the names from the root down to it, and its text, if it holds no other element.
/// `None` if the document is not well-formed; what stood before is told all the same.
pub(super) fn read(document: &[u8], mut ended: impl FnMut(&[&'static str], &mut String)) -> Option<()> {
    let mut reader = Reader::from_reader(document);
    let (mut path, mut text, mut is_whole) = (Vec::new(), String::new(), false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) | Event::Empty(_) if is_whole || path.len() == limits::XML_DEPTH_MAX => return None,
            Event::Start(start) => {
                path.push(name(&start));
                text.clear();
            }
            Event::Empty(start) => {
                path.push(name(&start));
                text.clear();
                ended(&path, &mut text);
                path.pop();
                is_whole = path.is_empty();
            }
            Event::End(_) => {
                ended(&path, &mut text);
                path.pop()?;
                text.clear();
                is_whole = path.is_empty();
            }
            Event::Text(part) => text.push_str(&part.decode().ok()?),
            Event::CData(part) => text.push_str(&part.decode().ok()?),
            Event::GeneralRef(entity) => text.push(resolved(&entity)?),
            Event::Eof => return is_whole.then_some(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            // It could define entities.
            Event::DocType(_) => return None,
        }
    }
}

fn name(start: &BytesStart<'_>) -> &'static str {
    let found = start.local_name();
    NAMES.into_iter().find(|name| name.as_bytes() == found.as_ref()).unwrap_or_default()
}

fn resolved(entity: &BytesRef<'_>) -> Option<char> {
    match entity.resolve_char_ref().ok()? {
        Some(character) => Some(character),
        None => resolve_predefined_entity(&entity.decode().ok()?)?.chars().next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_with_their_text_until_the_document_breaks() {
        for (document, want, is_sound) in [
            ("<?xml version=\"1.0\"?>\n<Error xmlns=\"u\"><Code>A</Code></Error>\n", "Error/Code=A Error= ", true),
            (
                "<a:Error><x>1</x><a:Code>&quot;&#x41;&amp;&#10;</a:Code></a:Error>",
                "Error/=1 Error/Code=\"A&\n Error= ",
                true,
            ),
            ("<Error><Code/><Message><![CDATA[<b>]]></Message></Error>", "Error/Code= Error/Message=<b> Error= ", true),
            ("<Error><!-- x --><Code>a<!-- y -->b</Code></Error>", "Error/Code=ab Error= ", true),
            ("", "", false),
            ("not xml", "", false),
            ("<Error><Code>A</Code>", "Error/Code=A ", false),
            ("<Error><Code>A</Message></Error>", "", false),
            ("<Error><Code>&custom;</Code></Error>", "", false),
            ("<!DOCTYPE Error [<!ENTITY x \"y\">]><Error/>", "", false),
            ("<Error/>", "Error= ", true),
            ("<Error/><Error/>", "Error= ", false),
            ("</Error>", "", false),
        ] {
            let mut told = String::new();
            let read = read(document.as_bytes(), |path, text| told += &format!("{}={} ", path.join("/"), text));
            assert_eq!((told.as_str(), read.is_some()), (want, is_sound), "{document}");
        }
        assert!(read(&b"<a>".repeat(limits::XML_DEPTH_MAX + 1), |_, _| ()).is_none());
    }
}
