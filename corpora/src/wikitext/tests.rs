use proptest::prelude::*;

use super::wiki_text;

#[test]
fn markup() {
    for (source, text) in [
        ("[[파일:a.jpg|섬네일|[[서울]]의 ''밤'']]글", "글"),
        ("[[분류:한국]]\n[[en:Korea]]\n끝", "끝"),
        ("{{정보상자\n|이름=[[가]]\n|{{a|{{b}}}}\n}}본문", "본문"),
        ("전\n{| class=x\n|-\n| a || b\n|}\n후", "전\n\n후"),
        ("[https://x.kr 누리집] [https://y.kr]", "누리집"),
        ("<nowiki>[[그대로]]</nowiki> <b>굵게</b><br/>다음 <!-- 안 보임 -->줄", "[[그대로]] 굵게\n다음 줄"),
        ("글<ref name=a/>과<ref>[[책]]</ref> 글", "글과 글"),
        ("== 제목 ==\n글\n=== 작은 제목 ===\n* 하나\n** 둘\n# 셋", "제목\n글\n\n작은 제목\n- 하나\n- 둘\n- 셋"),
        ("열린 {{틀 그리고 [[고리", "열린 틀 그리고 고리"),
        ("a < b && c > d }} ]] |}", "a < b && c > d }} ]] |}"),
    ] {
        assert_eq!(wiki_text(source), text, "{source}");
    }
}

#[test]
fn code_stays_as_it_is() {
    for (source, text) in [
        ("<code>main()</code>을 부른다. f( )도.", "main()을 부른다. f( )도."),
        (
            "글\n<syntaxhighlight lang=\"python\">\n# comment\ndef f():\n    return {{x}}, '' + \"&lt;\"\n\n\n== a ==\n;x\n*p = 1;\n</syntaxhighlight>\n다음",
            "글\n# comment\ndef f():\n    return {{x}}, '' + \"&lt;\"\n\n\n== a ==\n;x\n*p = 1;\n다음",
        ),
        ("<pre>\n  a &lt; b &amp;lt; ()\n# c\n</pre>", "  a < b &lt; ()\n# c"),
        ("<pre>\n</pre><pre>\na</pre><pre>\nb</pre>", "a\nb"),
        ("<pre><nowiki>[[x]]</nowiki></pre>", "[[x]]"),
        ("앞 <syntaxhighlight lang=c inline>*p = &amp;x; ()</syntaxhighlight> 뒤 &amp;", "앞 *p = &amp;x; () 뒤 &"),
        ("<nowiki>*</nowiki> 별 <nowiki>&lt;</nowiki>", "* 별 <"),
        ("<nowiki>== a ==</nowiki>\n<nowiki>\n# b</nowiki>", "== a ==\n\n# b"),
        // Through links, and not where what is around it is left out.
        ("[[쪽|<nowiki>#1</nowiki> 줄]]\n{{틀|<pre>x</pre>}}(<nowiki>()</nowiki>)", "#1 줄\n(())"),
        ("[[파일:a.png|<pre>x</pre>]]\n<source>\n\ty()\n</SOURCE>\n끝", "\ty()\n끝"),
    ] {
        assert_eq!(wiki_text(source), text, "{source}");
    }
}

#[test]
fn brackets_go_with_what_was_in_them() {
    for (source, text) in [
        ("'''한국어'''({{llang|en|Korean}}, {{한자|韓國語}})는", "한국어는"),
        ("서울 ({{zh|首爾}}) 시", "서울 시"),
        ("서울（{{zh|首爾}}； <ref>책</ref>）시", "서울시"),
        ("서울 ([[파일:a.ogg]]).", "서울."),
        ("f() ( ) {{틀}}()", "f() ( ) ()"),
        ("({{zh|首爾}}, 수도)({{틀}}", "(, 수도)("),
        ("(({{가}}))({{나}})<nowiki>(b)</nowiki>({{다}})(c)", "()(b)(c)"),
        ("({{가}}\n)", "(\n)"),
    ] {
        assert_eq!(wiki_text(source), text, "{source}");
    }
}

#[test]
fn entities_are_characters() {
    for (source, text) in [
        ("&mdash;&ndash; a&#160;b&nbsp;c &#x3042; &hellip; &lt;b&gt;", "—– a b c あ … <b>"),
        ("&amp;lt; &unknown; AT&T; &#0; &", "&lt; &unknown; AT&T; &#0; &"),
        // What an entity stands for is no markup.
        ("&#42; a\n&#61;b&#61;\n&#91;&#91;c]]", "* a\n=b=\n[[c]]"),
        ("&nbsp;\n글", "글"),
    ] {
        assert_eq!(wiki_text(source), text, "{source}");
    }
}

#[test]
fn tables_are_left_out_wherever_they_stand() {
    for (source, text) in [
        ("전\n:{| class=x\n|-\n| a || b\n|}\n후", "전\n\n후"),
        ("전\n :: {|\n| a\n  |}\n후", "전\n\n후"),
        ("전\n {|\n|\n{|\n| b\n|}\n| c\n |}\n후", "전\n\n후"),
        ("a {| b |}", "a {| b |}"),
    ] {
        assert_eq!(wiki_text(source), text, "{source}");
    }
    assert_eq!(wiki_text("글<REF>책</Ref >과<Ref>가</REF> 글<ref>나 <references/></ref>"), "글과 글");
}

#[test]
fn what_does_not_end_takes_linear_time() {
    for piece in [
        "[[",
        "{{",
        "[[a|{{",
        "<ref>",
        "<!--",
        "{|\n",
        "[http",
        "<",
        "'",
        "}}",
        "]]",
        "\n|}",
        "{{a",
        "<nowiki>",
        "({{a}}",
        "({{a}}, ",
        "<ref></x>",
        ":{|",
    ] {
        // Of a size at which quadratic time would not go unnoticed; a clock would measure the load of the machine.
        assert!(wiki_text(&piece.repeat(300_000)).len() <= piece.len() * 300_000);
        let text = wiki_text(&(piece.repeat(100_000) + &"글".repeat(300_000) + &"]]".repeat(100_000)));
        assert!(text.matches('글').count() <= 300_000, "{piece}");
    }
}

proptest! {
    #[test]
    fn anything_is_survived(pieces in proptest::collection::vec(prop_oneof![
        Just("[["), Just("]]"), Just("{{"), Just("}}"), Just("{|"), Just("|}"), Just("|"), Just("\n"), Just("<ref>"), Just("</ref>"),
        Just("<!--"), Just("-->"), Just("''"), Just("=="), Just("글"), Just("파일:"), Just("[http://a "), Just("]"), Just("<br>"), Just("&lt;"), Just("<"),
        Just("("), Just(")"), Just(", "), Just("<nowiki>"), Just("</nowiki>"), Just("<pre>\n"), Just("</pre>"), Just("<source inline>"),
        Just("</source>"), Just(":"), Just("*"), Just("글(")
    ], 0..80)) {
        wiki_text(&pieces.concat());
    }
}
