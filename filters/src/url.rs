//! `url`: lists of domains and addresses, given by the user.

use std::borrow::Cow;

use corpora::Document;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::punycode;
use crate::rules::Effect;
use crate::spec::{Options, SpecError};
use crate::word_list::read_list;
use crate::{Filter, Metrics, Reason, Verdict};

/// Options of `url`; at least one list must be given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct UrlConfig {
    /// A file with a domain a line; it blocks the domain and everything below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domains: Option<String>,
    /// A file with the beginning of an address a line; the scheme and `www.` do not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<String>,
    /// A file with a domain a line; nothing else is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_domains: Option<String>,
    /// Drop documents without an address. Default: false.
    #[serde(skip_serializing_if = "is_false")]
    pub require: bool,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(value: &bool) -> bool {
    !value
}

impl UrlConfig {
    fn with(&self, read: impl Fn(&'static str, Option<&String>) -> Result<Vec<String>, SpecError>) -> Result<Url, SpecError> {
        let sorted = |key, path, clean: fn(&str) -> String| {
            let mut entries: Vec<String> = read(key, path)?.iter().map(|line| clean(line)).filter(|entry| !entry.is_empty()).collect();
            entries.sort_unstable();
            entries.dedup();
            Ok::<_, SpecError>(entries)
        };
        let domain = |line: &str| host(&bare(line)).trim_start_matches("*.").trim_start_matches('.').to_owned();
        let mut prefixes = sorted("prefixes", self.prefixes.as_ref(), bare)?;
        // Of two prefixes of which one begins with the other, the shorter says it all.
        prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        Ok(Url {
            domains: sorted("domains", self.domains.as_ref(), domain)?,
            prefixes,
            only: self.only_domains.as_ref().map(|path| sorted("only-domains", Some(path), domain)).transpose()?,
            require: self.require,
        })
    }
}

impl Options for UrlConfig {
    const NAME: &'static str = "url";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn files_mut(&mut self) -> Vec<&mut String> {
        [&mut self.domains, &mut self.prefixes, &mut self.only_domains].into_iter().flatten().collect()
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.domains.is_none() && self.prefixes.is_none() && self.only_domains.is_none() && !self.require {
            let keys = "`domains`, `prefixes`, `only-domains`, `require`";
            return Err(SpecError::NothingToDo { filter: Self::NAME, key: "domains", keys });
        }
        Ok(())
    }

    fn effect(&self) -> Effect {
        Effect { drops: true, rewrites: false }
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Url { domains: Vec::new(), prefixes: Vec::new(), only: None, require: self.require })
    }

    fn load(&self) -> Result<Box<dyn Filter>, SpecError> {
        let read = |key, path: Option<&String>| match path {
            Some(path) => read_list(path).map_err(|cause| SpecError::List { filter: Self::NAME, key, cause }),
            None => Ok(Vec::new()),
        };
        Ok(Box::new(self.with(read)?))
    }
}

/// The lists, sorted, so that a look-up is a binary search.
struct Url {
    domains: Vec<String>,
    prefixes: Vec<String>,
    only: Option<Vec<String>>,
    require: bool,
}

impl Filter for Url {
    fn name(&self) -> &'static str {
        UrlConfig::NAME
    }

    fn metric_names(&self) -> Vec<&'static str> {
        vec!["url"]
    }

    fn apply(&self, document: &mut Document, metrics: &mut Metrics) -> Verdict {
        let address = document.url.as_deref().map(bare).filter(|address| !host(address).is_empty());
        metrics.insert("url", f64::from(u8::from(address.is_some())));
        let Some(address) = address else {
            return if self.require { Verdict::Drop(Reason::below("url/url", 0.0, 1.0)) } else { Verdict::Keep };
        };
        let host = host(&address);
        let listed = |rule, entry: &str| Verdict::Drop(Reason::above(rule, 1.0, 0.0).with_detail(entry));
        if let Some(domain) = above(&self.domains, host) {
            return listed("url/domain", domain);
        }
        if let Some(prefix) = beginning(&self.prefixes, &address) {
            return listed("url/prefix", prefix);
        }
        match &self.only {
            Some(only) if above(only, host).is_none() => Verdict::Drop(Reason::below("url/only-domain", 0.0, 1.0).with_detail(host)),
            _ => Verdict::Keep,
        }
    }
}

/// The address without scheme, user and `www.`, its host in lower case, without a final point, and in letters where it is in
/// Punycode: `xn--3e0b707e` is `한국`.
pub(crate) fn bare(address: &str) -> String {
    let address = address.trim();
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_lowercase();
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let port = if matches!(port, ":80" | ":443" | ":") { "" } else { port };
    let host = readable(host.trim_end_matches('.'));
    [host.strip_prefix("www.").unwrap_or(&host), port, path].concat()
}

/// A host as people read it: the letters that Punycode stands for, in NFKC, as UTS 46 maps those that registries allow. The
/// `idna` crate would refuse the others, too, and takes twenty crates of tables for it; here they stay as they are.
fn readable(host: &str) -> Cow<'_, str> {
    if host.is_ascii() && !host.contains("xn--") {
        return host.into();
    }
    let label = |label: &str| label.strip_prefix("xn--").and_then(punycode::decode).unwrap_or_else(|| label.to_owned());
    let labels: Vec<String> = host.split(['.', '。', '．', '｡']).map(label).collect();
    let readable: String = labels.join(".").nfkc().collect();
    // A full-width solidus and its like end no host.
    if readable.contains([':', '/', '?', '#', '\\', '@']) { host.into() } else { readable.into() }
}

/// The host of a bare address.
pub(crate) fn host(address: &str) -> &str {
    &address[..address.find([':', '/', '?', '#', '\\']).unwrap_or(address.len())]
}

/// A listed domain that is the host or above it: `b.c` for `a.b.c`.
fn above<'a>(domains: &'a [String], host: &str) -> Option<&'a str> {
    let starts = std::iter::once(0).chain(host.match_indices('.').map(|(at, _)| at + 1));
    starts.map(|start| &host[start..]).find_map(|domain| {
        let at = domains.binary_search_by(|entry| entry.as_str().cmp(domain)).ok()?;
        Some(domains[at].as_str())
    })
}

/// A listed prefix that the address begins with. No prefix begins with another, so that it can
/// only be the last one that does not come after the address.
fn beginning<'a>(prefixes: &'a [String], address: &str) -> Option<&'a str> {
    let after = prefixes.partition_point(|prefix| prefix.as_str() <= address);
    let prefix = prefixes.get(after.checked_sub(1)?)?;
    address.starts_with(prefix.as_str()).then_some(prefix.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::document;

    fn rule(filter: &dyn Filter, url: &str) -> String {
        let mut document = document("text");
        document.url = (!url.is_empty()).then(|| url.to_owned());
        match filter.apply(&mut document, &mut Metrics::new()) {
            Verdict::Keep => "keep".to_owned(),
            Verdict::Drop(reason) => format!("{} {}", reason.rule, reason.detail.unwrap_or_default()),
        }
    }

    fn file(lines: &str) -> (tempfile::NamedTempFile, Option<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        (file, Some(path))
    }

    #[test]
    fn domains_cover_what_is_below_them() {
        let (_held, domains) = file("# spam\nhttp://www.Casino.example/\n*.bad.kr\nxn--3e0b707e\n");
        let filter = UrlConfig { domains, require: true, ..UrlConfig::default() }.load().unwrap();
        for (url, expected) in [
            ("https://casino.example/a", "url/domain casino.example"),
            ("HTTP://a.b.CASINO.example.:443?x", "url/domain casino.example"),
            ("http://user:pw@www.casino.example", "url/domain casino.example"),
            ("https://mycasino.example/casino.example", "keep"),
            ("https://casino.example.org", "keep"),
            ("bad.kr", "url/domain bad.kr"),
            ("http://www.xn--3e0b707e/a", "url/domain 한국"),
            ("http://site.한국", "url/domain 한국"),
            ("http://xn--3e0b707e.kr", "keep"),
            ("", "url/url "),
            ("https://", "url/url "),
        ] {
            assert_eq!(rule(filter.as_ref(), url), expected, "{url}");
        }
    }

    /// The pairs are those of Python's `idna` codec.
    #[test]
    fn a_name_is_the_same_in_letters_and_in_punycode() {
        for (written, read) in [
            ("xn--3e0b707e", "한국"),
            ("XN--3E0B707E.kr", "한국.kr"),
            ("xn--9n2bp8q.xn--9t4b11yi5a", "실례.테스트"),
            ("b\u{fc}cher.example", "bücher.example"),
            ("xn--bcher-kva.example", "bücher.example"),
            // Decomposed, full-width and with another full stop.
            ("\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}.kr", "한국.kr"),
            ("ｅｘａｍｐｌｅ。kr", "example.kr"),
            // No names: as they are.
            ("xn--", "xn--"),
            ("xn--99999999", "xn--99999999"),
            ("axn--3e0b707e", "axn--3e0b707e"),
            ("a.kr／b.kr", "a.kr／b.kr"),
        ] {
            assert_eq!(bare(&format!("http://{written}/x")), format!("{read}/x"), "{written}");
        }
        let long = format!("xn--{}", "9".repeat(5000));
        assert_eq!(bare(&long), long);
    }

    #[test]
    fn prefixes_and_allowed_domains() {
        let (_held, prefixes) = file("https://site.kr/board/\nsite.kr/board/old\nsite.kr/a\nsite.kr/abc\n");
        let (_too, only_domains) = file("site.kr\n");
        let filter = UrlConfig { prefixes, only_domains, ..UrlConfig::default() }.load().unwrap();
        for (url, expected) in [
            ("http://www.site.kr/board/1", "url/prefix site.kr/board/"),
            ("http://site.kr/abd", "url/prefix site.kr/a"),
            ("http://site.kr/Board/1", "keep"),
            ("http://other.kr/", "url/only-domain other.kr"),
            ("", "keep"),
        ] {
            assert_eq!(rule(filter.as_ref(), url), expected, "{url}");
        }
    }

    #[test]
    fn a_missing_list_is_named() {
        let config = UrlConfig { domains: Some("/no/such/list".into()), ..UrlConfig::default() };
        let Err(error) = config.load() else { panic!("loaded") };
        assert_eq!(error.key(), "domains");
        assert!(error.to_string().contains("/no/such/list"), "{error}");
        assert!(UrlConfig::default().check().is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_prefix_of_an_address_finds_it(url in "[a-z]{1,3}\\.kr/[a-c]{0,4}", others in proptest::collection::vec("[a-z]{1,3}\\.kr/[a-c]{0,3}", 0..20)) {
            let mut prefixes = others.clone();
            prefixes.sort_unstable();
            prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
            let slow = others.iter().any(|prefix| url.starts_with(prefix.as_str()));
            proptest::prop_assert_eq!(beginning(&prefixes, &url).is_some(), slow);
        }
    }
}
