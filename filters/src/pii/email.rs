//! E-mail addresses, also right before a particle (`abc@naver.com로`).

use super::groups::{ascii_at, ascii_before};

const MAX_LOCAL: usize = 64;
const MAX_DOMAIN: usize = 253;

/// The address around the `@` at `at`, not reaching before `floor`.
///
/// The `git@` of clone URLs names nobody.
pub(super) fn around(bytes: &[u8], floor: usize, at: usize) -> Option<(usize, usize)> {
    let (_, sign) = ascii_at(bytes, at)?;
    let (start, local) = local(bytes, floor, at)?;
    let end = domain(bytes, at + sign)?;
    (local != b"git").then_some((start, end))
}

/// Where the part before the sign begins, and its ASCII.
pub(super) fn local(bytes: &[u8], floor: usize, at: usize) -> Option<(usize, Vec<u8>)> {
    let mut reversed = Vec::new();
    let mut start = at;
    while start > floor && reversed.len() < MAX_LOCAL {
        match ascii_before(bytes, start) {
            Some((ascii @ (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'%' | b'+' | b'-'), length))
                if start - length >= floor =>
            {
                reversed.push(ascii);
                start -= length;
            }
            _ => break,
        }
    }
    // It begins with a letter or digit: dots and dashes before it belong to the text.
    while let Some(b'.' | b'-' | b'+' | b'%') = reversed.last() {
        reversed.pop();
        start += ascii_at(bytes, start)?.1;
    }
    if reversed.first().is_none_or(|last| *last == b'.') {
        return None;
    }
    reversed.reverse();
    Some((start, reversed))
}

/// Where the domain ends: the longest one that ends with a top-level domain.
fn domain(bytes: &[u8], start: usize) -> Option<usize> {
    let mut read = Vec::new();
    let mut at = start;
    let mut found = None;
    let mut label = 0;
    loop {
        let next = ascii_at(bytes, at).filter(|_| read.len() < MAX_DOMAIN);
        match next {
            Some((ascii, length)) if ascii.is_ascii_alphanumeric() || ascii == b'-' => {
                read.push(ascii);
                at += length;
            }
            next => {
                let last = &read[label..];
                if last.is_empty() || last.starts_with(b"-") || last.ends_with(b"-") {
                    break;
                }
                if label > 0 && is_top_level(last, read[0].is_ascii_uppercase()) {
                    found = Some(at);
                }
                match next {
                    Some((b'.', length)) => {
                        read.push(b'.');
                        at += length;
                        label = read.len();
                    }
                    _ => break,
                }
            }
        }
    }
    found
}

/// A label that can be the last (`capitals`: the domain begins with one): a country, or one of the generic ones that people have mail under.
pub(super) fn is_top_level(label: &[u8], capitals: bool) -> bool {
    // `abc@naver.com.It`: the next sentence begins, unless the whole domain has capitals.
    let one_case = capitals || label.iter().all(u8::is_ascii_lowercase) || label.iter().all(u8::is_ascii_uppercase);
    let Ok(label) = str::from_utf8(label) else { return false };
    let lower = label.to_ascii_lowercase();
    let known = if lower.len() == 2 { COUNTRIES } else { GENERIC };
    one_case && known.split_ascii_whitespace().any(|known| known == lower)
}

/// Country codes in use (IANA, root zone).
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz \
    ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr \
    ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp \
    ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz \
    na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw \
    sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz \
    ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw";

/// Generic top-level domains; those that are more often a file's ending (`zip`, `mov`) are left out.
const GENERIC: &str = "com net org edu gov mil int info biz name pro aero coop museum mobi jobs travel asia cat tel post xxx \
    academy agency app art blog business cafe capital care center chat church city cloud club coach codes coffee community company \
    computer consulting cool dental design dev digital direct education email engineering enterprises events expert family fans farm \
    film finance financial fitness foundation fun fund gallery games global group guide guru health help hospital host house inc \
    institute international kim korea lab lawyer legal life link live llc love ltd management marketing media moe music network news \
    ngo ninja one online page partners party photo photography place plus press productions realty rocks sale school science seoul \
    services shop site social software solutions space store studio support systems team tech technology tips today tools top tours \
    training university ventures video vip web website wiki win wine work works world wtf xyz yoga zone";
