//! Documents of one address.

use super::*;

fn page(id: &str, url: &str, text: &str) -> Planted {
    Planted { url: Some(url.into()), ..Planted::new(id, text) }
}

/// `b` is a copy of `a` under another address, and `c` is a later version of that page: all three are
/// one, though `c` and `a` share nothing.
#[test]
fn addresses_join_what_texts_do_not() {
    let documents = vec![
        page("a", "https://one.kr/x", "첫째 글은 이렇게 시작한다"),
        page("b", "http://two.kr/y?utm_source=z", "첫째  글은 이렇게 시작한다"),
        page("c", "https://www.two.kr/y/", "그 뒤에 아주 다르게 고친 글이다"),
        page("d", "https://two.kr/Y", "대문자 주소는 다른 쪽이다"),
        Planted::new("e", "주소가 없는 글은 글로만 견준다"),
        Planted::new("f", "주소가 없는 또 다른 글"),
    ];
    let config = config("url = true");
    let (summary, together) = dedup(std::slice::from_ref(&documents), &config, 2);
    assert_eq!(told(&together), ["a url c 3", "b url c 3"]);
    assert_eq!((summary.url, summary.exact, summary.clusters), (2, 0, 1));
    let parts: Vec<Vec<Planted>> = documents.iter().map(|document| vec![document.clone()]).collect();
    assert_eq!(told(&dedup(&parts, &config, 3).1), told(&together));
    assert_eq!(told(&dedup(&[documents], &DedupConfig::default(), 1).1), ["a exact b 2"]);
}

#[test]
fn of_one_address_the_best_stays_whatever_is_longer() {
    let long = "길고 긴 글이지만 우선순위가 낮다 ".repeat(9);
    let documents =
        vec![Planted { priority: 2, ..page("long", "a.kr/1", &long) }, page("best", "a.kr/1", "짧다"), page("worse", "a.kr/1#part", "더")];
    let (_, removed) = dedup(&[documents], &config("url = true\nexact = false"), 1);
    assert_eq!(told(&removed), ["long url best 3", "worse url best 3"]);
    assert_eq!(removed["long"].similarity, 1.0);
}

#[test]
fn buckets_have_addresses_of_their_own_if_they_may_not_meet() {
    let documents = vec![page("a", "a.kr/1", "가나다"), Planted { bucket: 1, ..page("b", "a.kr/1", "라마바") }];
    assert_eq!(dedup(std::slice::from_ref(&documents), &config("url = true"), 1).1.len(), 1);
    assert_eq!(dedup(&[documents], &config("url = true\nacross-buckets = false"), 1).1.len(), 0);
}
