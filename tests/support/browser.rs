//! A person's browser, as far as a login needs one: cookies, redirects, links and forms. It runs no script.

use std::collections::BTreeMap;

use super::http;

/// Redirects that one click may lead through.
const REDIRECTS_MAX: usize = 12;

/// What is remembered between pages. All pages of a test are on loopback, so all cookies are one host's.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// Where a click ended.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its address.
    pub(crate) url: String,
    /// The status code.
    pub(crate) status: u16,
    /// Its HTML.
    pub(crate) text: String,
}

impl Browser {
    /// Opens an address and follows where it leads.
    pub(crate) fn open(&mut self, url: &str) -> Page {
        self.go("GET", url, "")
    }

    /// Follows the link of exactly that text.
    ///
    /// # Panics
    /// Where the page has none.
    pub(crate) fn click(&mut self, page: &Page, link: &str) -> Page {
        let mut anchors = page.text.split("<a ").skip(1);
        let found = anchors.find(|rest| rest.split('>').nth(1).is_some_and(|text| text == format!("{link}</a")));
        let href = attribute(found.unwrap_or_else(|| panic!("no link {link:?}: {page:?}")), "href").unwrap();
        self.open(&absolute(&page.url, &href))
    }

    /// Sends the page's form: its hidden fields, and what the person fills in or presses.
    ///
    /// # Panics
    /// Where the page has none.
    pub(crate) fn submit(&mut self, page: &Page, filled: &[(&str, &str)]) -> Page {
        let (_, form) = page.text.split_once("<form ").unwrap_or_else(|| panic!("no form: {page:?}"));
        let action = attribute(form, "action").unwrap();
        let inputs = form.split("</form>").next().unwrap().split("<input").skip(1);
        let hidden = inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
        let filled = filled.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<(String, String)> = hidden.chain(filled).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.go("POST", &absolute(&page.url, &action), &http::form(&fields))
    }

    fn go(&mut self, method: &str, url: &str, body: &str) -> Page {
        let (mut method, mut url, mut body) = (method, url.to_owned(), body);
        for _ in 0..REDIRECTS_MAX {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let cookies = cookies.join("; ");
            let headers = [("cookie", cookies.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            let answer = http::send(method, &url, &headers, body.as_bytes()).unwrap();
            for (_, cookie) in answer.headers().iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            match answer.header("location") {
                Some(location) => (method, url, body) = ("GET", absolute(&url, location), ""),
                None => return Page { url, status: answer.status, text: answer.text() },
            }
        }
        panic!("{url} redirects for ever")
    }
}

/// The value of an attribute of the tag that the text begins in.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.replace("&amp;", "&"))
}

/// An address as it stands on the page at `base`.
fn absolute(base: &str, link: &str) -> String {
    if link.starts_with("http://") {
        return link.to_owned();
    }
    let host = base.split('/').take(3).collect::<Vec<_>>().join("/");
    assert!(link.starts_with('/'), "{link} on {base}");
    format!("{host}{link}")
}
