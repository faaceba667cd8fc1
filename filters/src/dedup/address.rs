//! Addresses: which of them lead to the same page.

use crate::url::{bare, host};

/// Parameters that say where a visitor came from, and nothing about the page.
const TRACKING: [&str; 16] = [
    "_ga",
    "_gl",
    "dclid",
    "fbclid",
    "gad_source",
    "gbraid",
    "gclid",
    "igshid",
    "mc_cid",
    "mc_eid",
    "msclkid",
    "ref_src",
    "twclid",
    "wbraid",
    "yclid",
    "ysclid",
];

/// Parameters that do so at some hosts, and lead to other pages elsewhere: host and names.
const TRACKING_AT: [(&str, &[&str]); 5] = [
    ("youtube.com", &["si"]),
    ("youtu.be", &["si"]),
    ("youtube-nocookie.com", &["si"]),
    ("spotify.com", &["si"]),
    ("spotify.link", &["si"]),
];

/// The address without scheme, user, `www.`, usual port, fragment, final slash and the parameters of
/// trackers, its host in lower case, its parameters sorted, and everything decoded that need not be
/// encoded: `%ED%95%9C` is `한`. None without a host. A fragment that begins with `!` is a page of
/// its own and stays.
pub(super) fn normal(url: &str) -> Option<String> {
    let bare = bare(url);
    let host = host(&bare).to_owned();
    if host.is_empty() {
        return None;
    }
    let (bare, fragment) = bare.split_once('#').unwrap_or((&bare, ""));
    let (path, query) = bare.split_once('?').unwrap_or((bare, ""));
    let mut out = decoded(path.trim_end_matches('/'));
    let mut parameters: Vec<String> = query.split('&').filter(|one| !one.is_empty() && !is_tracking(&host, one)).map(decoded).collect();
    parameters.sort_unstable();
    parameters.dedup();
    for (number, parameter) in parameters.iter().enumerate() {
        out.push(if number == 0 { '?' } else { '&' });
        out.push_str(parameter);
    }
    if fragment.starts_with('!') {
        out.push('#');
        out.push_str(fragment);
    }
    Some(out)
}

fn is_tracking(host: &str, parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let under = |domain: &str| host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
    let here = TRACKING_AT.iter().any(|(domain, names)| names.contains(&name.as_str()) && under(domain));
    here || name.starts_with("utm_") || TRACKING.binary_search(&name.as_str()).is_ok()
}

/// Encoded letters, digits and `-._~` as they are; other codes in upper case.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // As many codes in a row as there are: a letter can take several.
        let mut bytes = Vec::new();
        while let Some(byte) = code(&rest.as_bytes()[3 * bytes.len()..]) {
            bytes.push(byte);
        }
        if bytes.is_empty() {
            encode(b'%', &mut out);
            rest = &rest[1..];
            continue;
        }
        rest = &rest[3 * bytes.len()..];
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') {
                    out.push(c);
                } else {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| encode(byte, &mut out));
                }
            }
            chunk.invalid().iter().for_each(|byte| encode(*byte, &mut out));
        }
    }
    out.push_str(rest);
    out
}

/// The byte of a code such as `%ED` at the beginning.
fn code(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |c: u8| char::from(c).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

fn encode(byte: u8, out: &mut String) {
    out.push_str(&format!("%{byte:02X}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_page_by_many_names() {
        let same = |expected: &str, names: &[&str]| {
            names.iter().for_each(|name| assert_eq!(normal(name).as_deref(), Some(expected), "{name}"));
        };
        same(
            "site.kr/a?id=3&q=x",
            &[
                "https://site.kr/a?id=3&q=x",
                "http://WWW.Site.kr:80/a/?q=x&id=3&utm_source=mail",
                "//user:pw@site.kr./a?fbclid=1&q=x&id=3&id=3#top",
                "site.kr/%61?q=x&&id=3",
            ],
        );
        same(
            "ko.wiki.org/wiki/한국",
            &["https://ko.wiki.org/wiki/한국", "https://ko.wiki.org/wiki/%ED%95%9C%EA%B5%AD", "ko.wiki.org/wiki/%ed%95%9c국/"],
        );
        same("a.kr", &["http://a.kr/", "http://a.kr", "http://a.kr/?"]);
        same("a.kr#!/page", &["http://a.kr/#!/page"]);
        same("youtu.be/x?t=5", &["https://youtu.be/x?si=abc&t=5"]);
        same("open.spotify.com/track/x", &["https://open.spotify.com/track/x?si=1", "open.spotify.com/track/x?SI=2"]);
        same("a.kr/%2F%E9%FF%25", &["http://a.kr/%2f%e9%ff%"]);
    }

    #[test]
    fn other_pages_have_other_names() {
        for (a, b) in [
            ("a.kr/A", "a.kr/a"),
            ("a.kr/a%2Fb", "a.kr/a/b"),
            ("a.kr/?q=1", "a.kr/?q=2"),
            ("a.kr/?q=%26", "a.kr/?q=&"),
            ("a.kr:81", "a.kr"),
            ("a.kr/board?si=1", "a.kr/board?si=2"),
            ("notyoutube.com/?si=1", "notyoutube.com/?si=2"),
        ] {
            assert_ne!(normal(a), normal(b), "{a} {b}");
        }
        assert_eq!((normal(""), normal("https://"), normal("/path")), (None, None, None));
        assert!(TRACKING.is_sorted());
    }

    proptest::proptest! {
        #[test]
        fn normal_is_normal(url in "(https?://)?[a-zA-Z.]{1,8}(/[%0-9A-Fa-f가-힣/?&=#!.]{0,30})?") {
            if let Some(once) = normal(&url) {
                proptest::prop_assert_eq!(normal(&once), Some(once.clone()), "{}", url);
            }
        }
    }
}
