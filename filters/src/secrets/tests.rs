use proptest::prelude::*;

use super::*;
use crate::metrics::Metrics;
use crate::pages::document;

fn masked(text: &str) -> String {
    let mut document = document(text);
    SecretsConfig::default().build().apply(&mut document, &mut Metrics::new());
    document.text
}

/// Characters as random as a key's, and the same on every run.
fn body(length: usize) -> String {
    let letters = b"q7Zp2LxW9vKcR4tYb1NfD8sGhJ3mAeU6oTiV5kE0";
    (0..length).map(|at| char::from(letters[(at * 17 + at / 40) % 40])).collect()
}

/// Tokens are put together here, so that no scanner of repositories takes them for lost ones.
#[test]
fn tokens_of_every_issuer() {
    for shape in token::SHAPES {
        let (least, upper) = match shape.sign {
            "AKIA" | "ASIA" => (16, true),
            "pypi-AgE" => (60, false),
            "rubygems_" => (48, false),
            "dckr_pat_" => (27, false),
            "AIza" => (35, false),
            "GOCSPX-" => (28, false),
            "cio" => (32, false),
            "glpat-" | "glptt-" | "gldt-" | "glrt-" => (20, false),
            _ => (36, false),
        };
        let body = if upper { body(least).to_uppercase() } else { body(least) };
        let token = match shape.sign {
            "hooks.slack.com/services/" => format!("{}T{}/B{}/{}", shape.sign, &body[..9], &body[9..18], &body[..24]),
            sign => format!("{sign}{body}"),
        };
        let placeholder = CLASSES[shape.kind as usize].placeholder;
        for (before, behind) in [("", ""), ("키는 ", "입니다"), ("x = \"", "\""), ("password: '", "'"), ("(", ")"), ("TOKEN=", "\n")] {
            assert_eq!(masked(&format!("{before}{token}{behind}")), format!("{before}{placeholder}{behind}"));
        }
        for text in [format!("x{token}"), format!("{token}_{}", body.repeat(20)), format!("{}{}", shape.sign, "x".repeat(body.len()))] {
            assert_eq!(masked(&text), text);
        }
    }
}

#[test]
fn signed_tokens() {
    let token = format!("{}{}.{}{}.{}", "ey", "JhbGciOiJIUzI1NiJ9", "ey", "JzdWIiOiIxMjM0NTY3ODkwIn0", body(43));
    assert_eq!(masked(&format!("Authorization: Bearer {token}")), "Authorization: Bearer <JWT>");
    assert_eq!(masked(&format!("토큰은 {token}입니다")), "토큰은 <JWT>입니다");
    let header = token.split('.').next().unwrap();
    assert_eq!(masked(header), header);
}

#[test]
fn private_keys() {
    let dashes = "-----";
    for label in ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
        let key = format!("{dashes}BEGIN {label}{dashes}\n{}\n{}==\n{dashes}END {label}{dashes}", body(64), body(30));
        assert_eq!(masked(&format!("a\n{key}\nb")), "a\n<PRIVATE-KEY>\nb");
        let escaped = key.replace('\n', "\\n");
        assert_eq!(masked(&format!("k = \"{escaped}\"")), "k = \"<PRIVATE-KEY>\"");
        let torn = key.split(&format!("\n{dashes}END")).next().unwrap();
        assert_eq!(masked(&format!("{torn}\n\n끝")), "<PRIVATE-KEY>\n\n끝");
    }
    for text in [
        format!("{dashes}BEGIN RSA PRIVATE KEY{dashes}\n...\n{dashes}END RSA PRIVATE KEY{dashes}"),
        format!("{dashes}BEGIN PUBLIC KEY{dashes}\n{}\n{dashes}END PUBLIC KEY{dashes}", body(64)),
        format!("if line.starts_with(\"{dashes}BEGIN PRIVATE KEY{dashes}\")"),
    ] {
        assert_eq!(masked(&text), text);
    }
}

#[test]
fn assigned_values() {
    for (text, wanted) in [
        (r#"password = "Tr0ub4dor&3x""#, r#"password = "<PASSWORD>""#),
        (r#"db_password: 'k9!mQ2xV'"#, r#"db_password: '<PASSWORD>'"#),
        (r#"{"passwd": "k9!mQ2xV"}"#, r#"{"passwd": "<PASSWORD>"}"#),
        (r#"const PASSWORD: &str = "k9!mQ2xV";"#, r#"const PASSWORD: &str = "<PASSWORD>";"#),
        ("DB_PASSWORD=k9!mQ2xV\nPORT=1", "DB_PASSWORD=<PASSWORD>\nPORT=1"),
        (r#"apiKey := "q7Zp2LxW9vKcR4tYb1Nf""#, r#"apiKey := "<PASSWORD>""#),
        (r#"'secret' => 'q7Zp2LxW9vKcR4tYb1Nf'"#, r#"'secret' => '<PASSWORD>'"#),
        ("postgres://app:k9!mQ2xV@db.host/x", "postgres://app:<PASSWORD>@db.host/x"),
        (r#"비밀번호 pwd="k9!mQ2xV"입니다"#, r#"비밀번호 pwd="<PASSWORD>"입니다"#),
    ] {
        assert_eq!(masked(text), wanted);
    }
    for text in [
        r#"password = "password123""#,
        r#"password = "changeme1""#,
        r#"password = os.environ["DB_PASSWORD1"]"#,
        r#"password = "${DB_PASSWORD1}""#,
        r#"password = "{{ vault_pw_1 }}""#,
        r#"password = "correct horse battery 1""#,
        r#"password = get_password2(user)"#,
        r#"token = "Sec-WebSocket-Key1""#,
        r#"token = "identifier""#,
        r#"secret = "aaaaaaaaaaaaaaaa1""#,
        r#"let token = Token::Ident1;"#,
        r#"password_hash_rounds = "12""#,
        "DB_PASSWORD=",
        "http://user:pass@host/",
        "http://localhost:8080/a@b",
        "https://t.co:443/@name1",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn bare_values_of_configuration() {
    for (text, secret) in [
        ("spring.datasource.password=k3J9xmQ2pZ7", "k3J9xmQ2pZ7"),
        ("password: k3J9xmQ2pZ7", "k3J9xmQ2pZ7"),
        ("aws_secret_access_key = h7Kq2mNp9RsT4vWxYz1AbCdEfGhIjKlMnOpQrStU", "h7Kq2mNp9RsT4vWxYz1AbCdEfGhIjKlMnOpQrStU"),
        ("_authToken=k3J9xmQ2pZabcd91kd8fQ77", "k3J9xmQ2pZabcd91kd8fQ77"),
        ("Server=db;User Id=sa;Password=k3J9xmQ2pZ7;", "k3J9xmQ2pZ7"),
        ("DB_PASSWORD=k3J9xmQ2pZ7;", "k3J9xmQ2pZ7"),
        ("비밀번호 = \"k3J9xmQ2pZ\"", "k3J9xmQ2pZ"),
        ("비밀번호: k3J9xmQ2pZ7", "k3J9xmQ2pZ7"),
        ("c = \"Server=db;Password=k3J9xmQ2pZ7\"", "k3J9xmQ2pZ7"),
        ("password: k3J9xmQ2pZ7 # of the test", "k3J9xmQ2pZ7"),
    ] {
        assert_eq!(masked(text), text.replace(secret, "<PASSWORD>"));
    }
    let token = body(40);
    assert_eq!(masked(&format!("Authorization: Bearer {token}\n")), "Authorization: Bearer <PASSWORD>\n");
}

#[test]
fn names_and_values_that_are_no_secrets() {
    for text in [
        r#"from_pretrained(m, tokenizer="kykim/bert-kor-base-v1")"#,
        r#"tokenizer = "beomi/kcbert-base-v2""#,
        r#"tokenizer_path = "skt/kogpt2-base-v2""#,
        r#"token_type = "urn:ietf:params:oauth:2.0""#,
        r#"password_policy = "min8-max20-A1""#,
        r#"pwd = "C:/Users/kim1/proj""#,
        "OLDPWD=home2dir99x",
        "PWD=home2dir99x",
        "password = get_password()",
        "let password = input;",
        "let password = sha256hex;",
        "password: utf8_to_utf16",
        "Authorization: Bearer <token>",
        "Authorization: Bearer your_access_token_goes_here1",
        "token = a1b2c3",
        "TOKENIZER=a1b2c3d4e5f6g7h8i9j0",
    ] {
        assert_eq!(masked(text), text);
    }
}

#[test]
fn the_automaton_builds() {
    assert!(scan::is_built());
}

fn pieces() -> impl Strategy<Value = String> {
    let mut pieces: Vec<String> = token::SHAPES.iter().map(|shape| shape.sign.to_owned()).collect();
    pieces.extend([body(16).to_uppercase(), body(36), body(50)]);
    pieces.extend(
        [
            "eyJ",
            ".",
            "-----BEGIN ",
            "PRIVATE KEY",
            "-----",
            "-----END ",
            "password",
            "TOKEN",
            "=",
            ": ",
            "\"",
            "'",
            "://",
            "u:",
            "@h",
            " ",
            "\n",
            "_",
            "가",
            "é",
            "<JWT>",
        ]
        .map(str::to_owned),
    );
    prop::collection::vec(prop::sample::select(pieces), 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn masking_twice_is_masking_once(text in prop_oneof![pieces(), "(?s).{0,80}"]) {
        let mut done = 0;
        for span in scan::find(&text, &[true; 11], false) {
            prop_assert!(done <= span.start && span.start < span.end);
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            done = span.end;
        }
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once);
    }
}

#[test]
fn hostile_texts_end() {
    let begin = format!("{}BEGIN PRIVATE KEY{}", "-----", "-----");
    for piece in ["bearer ", "password=a1", "eyJ", "eyJ.", "pwd", "pwd=\"", "://a:", "sk-", &begin, "token:", "xoxb-xoxb-"] {
        let text = piece.repeat((1 << 20) / piece.len());
        scan::find(&text, &[true; 11], true);
    }
}
