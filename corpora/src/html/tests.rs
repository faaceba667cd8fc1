use proptest::prelude::*;

use super::*;

fn text(html: &str) -> String {
    html_text(html).text
}

#[test]
fn blocks_lists_code_and_tables() {
    assert_eq!(text("<p>하나  둘\n셋</p><p>넷<br>다섯</p>"), "하나 둘 셋\n\n넷\n다섯");
    assert_eq!(text("<h1>제목<a href='#x'>¶</a></h1><p>글 <b>굵은</b>글, <i>기울임</i></p>"), "제목\n\n글 굵은글, 기울임");
    assert_eq!(text("<ul><li>가<li>나<ul><li>다</ul></ul><ol><li>a</li><li>b</li></ol>"), "- 가\n- 나\n  - 다\n\n1. a\n2. b");
    assert_eq!(text("<p>전</p><pre>\ndef f():\n    return 1\n\n\nx</pre><p>후</p>"), "전\n\ndef f():\n    return 1\n\n\nx\n\n후");
    assert_eq!(text("<table><tr><th>이름<th>값</tr><tr><td><p>a</p></td><td>1</td></tr></table>"), "이름 | 값\na | 1");
    assert_eq!(text("a &lt;b&gt; &amp; c&nbsp;d &#54620;"), "a <b> & c d 한");
}

#[test]
fn what_is_not_for_reading_is_left_out() {
    let html = "<html><head><title> 제 목 </title><style>p{}</style></head><body><nav><a>홈</a></nav><script>x()</script>\
                <p>본문</p><form><input><button>보내기</button></form><footer>ⓒ</footer></body></html>";
    assert_eq!(html_text(html), Page { title: "제 목".to_owned(), text: "본문".to_owned(), extraction: html_text(html).extraction });
}

#[test]
fn the_main_content_is_chosen() {
    let paragraph = "<p>이 문단은 본문이다. 쉼표도 있고, 마침표도 있으며, 길이도 충분하다. 그래서 본문으로 골라진다. </p>".repeat(12);
    let links = "<li><a href=/x>다른 글 보기</a></li>".repeat(30);
    let html = format!(
        "<title>t</title><div class=sidebar><ul>{links}</ul></div><div id=content>{paragraph}</div><div class=footer>무단전재</div>"
    );
    let page = html_text(&html);
    assert_eq!(page.extraction, Extraction::Main);
    assert!(page.text.contains("본문이다") && !page.text.contains("다른 글") && !page.text.contains("무단전재"), "{}", page.text);
}

/// On a thread with the small stack that worker threads have.
fn on_a_small_stack(html: String) -> Page {
    std::thread::Builder::new().stack_size(2 << 20).spawn(move || html_text(&html)).unwrap().join().unwrap()
}

#[test]
fn hostile_pages_are_read() {
    let end = "<p>hello";
    for (name, html) in [
        ("deep", "<div>".repeat(200_000) + end),
        ("deep formatting", "<b><i>".repeat(50_000) + end),
        ("as deep as is parsed", "<div>".repeat(250) + end + &"</div>".repeat(250)),
        ("formatting as deep as is parsed", "<b>".repeat(250) + &"<p>".repeat(2000) + end),
        ("nested tables", "<table><tr><td>".repeat(5_000) + end),
        ("nested tables, parsed", "<table><tr><td>".repeat(250) + end),
        ("nested lists", "<ul><li>".repeat(250) + end),
        ("flat in flat", "<p><dd><li>".repeat(2_000) + end),
        ("many", "<i>x</i>".repeat(150_000) + end),
        ("a huge attribute", format!("<p class=\"{}\">{end}", "x ".repeat(4 << 20))),
        ("many attributes", format!("<p {}>{end}", (0..20_000).map(|n| format!("a{n}=1 ")).collect::<String>())),
        ("an open comment", format!("{end}<!--{}", "x".repeat(1 << 20))),
        ("an open tag", format!("{end}<a {}", "x=".repeat(1 << 19))),
        ("misnested", "<a><p><a><div>".repeat(60) + end),
        ("a long text of signs", "©".repeat(2 << 20) + end),
        ("a long text of half references", "&#x".repeat(1 << 20) + end),
        ("closing only", "</div>".repeat(50_000) + end),
    ] {
        let start = std::time::Instant::now();
        let page = on_a_small_stack(html);
        println!("{name}: {} in {:?}", page.extraction.name(), start.elapsed());
        assert!(page.text.contains("hello"), "{name}");
        assert!(start.elapsed().as_secs() < 20, "{name}");
    }
}

/// Real pages: all of the article, none of the site around it.
#[test]
fn real_korean_pages() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/dirty/html/pytorch_ko");
    if !folder.is_dir() {
        println!("skipped: no ../shared");
        return;
    }
    let (mut pages, mut code, mut kept) = (0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let html = String::from_utf8(zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap()).unwrap();
        let page = html_text(&html);
        pages += 1;
        assert!(page.title.contains("파이토치 한국어 튜토리얼"), "{}", path.display());
        for boilerplate in ["파이토치 한국어 사용자 모임", "On this page", "Built with", "튜토리얼 전체보기"] {
            assert!(!page.text.contains(boilerplate) || page.extraction != Extraction::Main, "{}: {boilerplate}", path.display());
        }
        // Lines of code that need no decoding, by their words.
        let text = page.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for block in html.split("<pre>").skip(1).filter_map(|rest| rest.split("</pre>").next()) {
            let plain = shape::strip(&block.replace('\n', "<br>"));
            for line in plain.lines().filter(|line| line.len() > 30 && !line.contains('&')) {
                code += 1;
                kept += usize::from(text.contains(line.trim()));
            }
        }
    }
    println!("{pages} pages, {kept} of {code} lines of code");
    assert!(kept * 100 >= code * 95);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_markup_is_survived(pieces in proptest::collection::vec(prop_oneof![
        Just("<p>"), Just("</p>"), Just("<table>"), Just("<tr>"), Just("<td>"), Just("</table>"), Just("<li>"), Just("<ul>"), Just("</ol>"),
        Just("<pre>"), Just("</pre>"), Just("<b>"), Just("</b>"), Just("<a href=x>"), Just("<svg>"), Just("<select>"), Just("<template>"),
        Just("<!--"), Just("-->"), Just("<script>"), Just("</script>"), Just("<body>"), Just("<html lang=ko>"), Just("<frameset>"),
        Just("<"), Just("&amp"), Just("&#x110000;"), Just("글"), Just(" "), Just("\n"), Just("<title>"), Just("<br>")
    ], 0..120)) {
        let html = pieces.concat();
        html_text(&html);
        shape::strip(&html);
    }

    #[test]
    fn any_text_is_survived(html in "\\PC{0,200}") {
        html_text(&html);
        shape::strip(&html);
    }
}
