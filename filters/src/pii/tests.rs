mod addresses;
mod hidden;
mod properties;

use super::*;
use crate::metrics::Metrics;
use crate::pages::document;
use crate::{FilterSpec, NormalizeConfig};

/// The text with everything masked.
fn masked(text: &str) -> String {
    masked_in(text, None)
}

fn masked_in(text: &str, lang: Option<&str>) -> String {
    let mut document = document(text);
    document.lang = lang.map(str::to_owned);
    PiiConfig::default().build().apply(&mut document, &mut Metrics::new());
    document.text
}

fn all_become(placeholder: &str, numbers: &[&str]) {
    for number in numbers {
        for (before, behind) in [("", ""), ("전화", "로"), ("제 것은 ", "입니다."), ("(", ")"), ("a,", ",b"), ("가/", "/나"), ("\n", "\n")]
        {
            let text = format!("{before}{number}{behind}");
            let wanted = format!("{before}{placeholder}{behind}");
            // The parenthesis around a whole number may go with an area code's.
            if before != "(" || !number.contains(')') {
                assert_eq!(masked(&text), wanted, "{text}");
            }
        }
    }
}

fn all_stay(texts: &[&str]) {
    for text in texts {
        assert_eq!(&masked(text), text);
    }
}

#[test]
fn phones() {
    all_become(
        "<PHONE>",
        &[
            "010-1234-5678",
            "01012345678",
            "010 1234 5678",
            "010.1234.5678",
            "010)1234-5678",
            "010-12345678",
            "0101234-5678",
            "011-234-5678",
            "０１０－１２３４－５６７８",
            "010–1234–5678",
            "010ㅡ1234ㅡ5678",
            "010 - 1234 - 5678",
            "+82-10-1234-5678",
            "+82 10 1234 5678",
            "+82 (0)10-1234-5678",
            "+821012345678",
            "82-10-1234-5678",
            "02-123-4567",
            "02-1234-5678",
            "(02)123-4567",
            "(031) 123-4567",
            "02)123-4567",
            "031-123-4567",
            "064-712-3456",
            "+82-2-123-4567",
            "070-1234-5678",
            "0505-123-4567",
            "0507-1234-5678",
            "080-123-4567",
            "1588-3082",
            "1544-7788",
            "1577-1577",
            "+1 415-555-2671",
            "+44 20 7946 0958",
            "415-555-2671",
            "(415) 555-2671",
            "1-800-555-2671",
            "010/1234/5678",
            "0082-10-1234-5678",
            "0082 10 1234 5678",
        ],
    );
    assert_eq!(masked("문의 02 123 4567, 0212345678"), "문의 <PHONE>, <PHONE>");
    assert_eq!(masked("Tel.0311234567 / 15881234"), "Tel.<PHONE> / <PHONE>");
    assert_eq!(masked("15881234"), "15881234");
    assert_eq!(masked("Tel: 415 555 2671, HP010-1234-5678"), "Tel: <PHONE>, HP<PHONE>");
    assert_eq!(masked("어제1588-1234로"), "어제<PHONE>로");
    assert_eq!(masked("Tel.02-123-4567"), "Tel.<PHONE>");
    all_stay(&[
        "임진왜란(1588-1592) 이후 1599-1604년",
        "010-1234-567",
        "010-0000",
        "2010-1234-5678",
        "010-1234-56789",
        "매출 12345678900원",
        "x010-1234-5678",
        "0.01012345678",
        "02 123 4567",
        "123-456-7890",
        "1 2 3 4 5 6 7 8 9 10",
        "+10 20 30 40 50",
        "2023-01-02",
        "550e8400-e29b-41d4-a716-446655440000",
        "제02-123호",
        "Boston, MA 02110-1301",
        "8: 0.1903494379",
        "INTEL(383 981 1418)",
        "9780306406157",
        "전화 요금 250 300 4500",
        "상담 건수 200 300 4000",
        "예약 현황 300 400 5000",
        "문의 건수는 200 300 2500 이다",
        "전화 400 300 2000 원씩",
        "call volume 300 400 5000 units",
        "phone 300 400 5000",
        "fax modem 200 300 2400 baud",
        "전화 1588 1592 년",
        "국보 제1800-1234",
        "010/1234/5678/9",
        "010/12/34",
        "SHP010-1234-5678",
    ]);
}

/// The checksums were computed by hand: 900101-123456? has the sum 146, 11 - 146 % 11 = 8.
#[test]
fn resident_and_foreigner_numbers() {
    all_become(
        "<RESIDENT-NUMBER>",
        &["900101-1234568", "9001011234568", "900101 1234568", "000229-3123454", "９００１０１－１２３４５６８", "201115-3999999"],
    );
    all_become("<FOREIGNER-NUMBER>", &["850315-6123453", "8503156123453"]);
    // No checksum, no dash: a word must say it.
    assert_eq!(masked("주민번호 9001011234567"), "주민번호 <RESIDENT-NUMBER>");
    all_stay(&[
        "9001011234567",
        "901301-1234567",
        "990229-1234567",
        "900101-9234568",
        "법인등록번호 110111-1234567",
        "110111-1234567 법인등록번호",
        "110111-1234567 (법인등록번호)",
        "110111-0006249",
        "8801012345676",
        "1609459200000",
        "20201023-1234567",
        "900101-1******",
    ]);
}

#[test]
fn cards() {
    all_become(
        "<CARD>",
        &[
            "4111-1111-1111-1111",
            "4111111111111111",
            "5555 5555 5555 4444",
            "3782-822463-10005",
            "６０１１１１１１１１１１１１１７",
            "9430-1234-5678-9016",
        ],
    );
    all_stay(&["4111-1111-1111-1112", "1234-5678-9012-3452", "0000000000000000", "0.4111111111111111", "4111111111111111a"]);
    assert_eq!(masked_in("let id = 4111111111111111;", Some("rust")), "let id = 4111111111111111;");
    assert_eq!(masked_in("// test card 4111111111111111", Some("rust")), "// test card <CARD>");
}

#[test]
fn business_numbers() {
    all_become("<BUSINESS-NUMBER>", &["124-81-00998"]);
    assert_eq!(masked("사업자등록번호: 1248100998"), "사업자등록번호: <BUSINESS-NUMBER>");
    all_stay(&["124-81-00997", "1248100998"]);
}

#[test]
fn accounts_need_a_word() {
    for (text, wanted) in [
        ("계좌번호: 110-123-456789", "계좌번호: <ACCOUNT>"),
        ("국민은행123456-78-901234로 입금", "국민은행<ACCOUNT>로 입금"),
        ("농협 302-1234-5678-91 (예금주 홍길동)", "농협 <ACCOUNT> (예금주 홍길동)"),
        ("3333-01-1234567 카카오뱅크", "<ACCOUNT> 카카오뱅크"),
        ("bank account 12345678901", "bank account <ACCOUNT>"),
        ("입금계좌 110 123 456789", "입금계좌 <ACCOUNT>"),
        ("상품 대금은 계좌 97912345678901로", "상품 대금은 계좌 <ACCOUNT>로"),
        ("농협은행: 3021234567891", "농협은행: <ACCOUNT>"),
        ("3021234567891 (농협)", "<ACCOUNT> (농협)"),
        ("신한 110-123-456789", "신한 <ACCOUNT>"),
        ("국민)123456-78-901234", "국민)<ACCOUNT>"),
        ("110-123-456789 (신한)", "<ACCOUNT> (신한)"),
        ("IBK 123-456789-01-011", "IBK <ACCOUNT>"),
        ("카뱅 3333-12-1234567", "카뱅 <ACCOUNT>"),
        ("토스 1000-1234-5678", "토스 <ACCOUNT>"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&["110-123-456789", "은행에서 12345678900원을 빌렸다", "은행 2023-01-02-03", "은행법 제12-3조", "계좌 1-2-3"]);
    all_stay(&[
        "하나 둘 셋 1234567890123 우주",
        "하나 100 200 3000 400",
        "국민 1200 3400 5600",
        "은행 2022 2023 2024 2025 실적",
        "은행 2022-2023-2024",
        "은행별 금리 325 350 3450 410",
        "기업의 출원번호는 1020190012345",
        "특허 출원번호 10-2019-0012345 (하나기술)",
        "계좌 안내, 상품번호 1234-5678-9012",
        "신한 ISBN 979-11-88888-12-3",
        "농협 ISBN 9791188888123",
        "농협 9791188888123",
        "하나로마트 8801062637850",
        "우체국택배 운송장번호 6012345678901",
        "은행 대출 100000000000",
    ]);
}

#[test]
fn names_of_pages_and_files_stay() {
    all_stay(&[
        "https://x.com/p/01012345678",
        "https://x.com/?id=01012345678&p=4111111111111111",
        "사진 01012345678.jpg",
        "계좌 12345678901.PDF",
    ]);
    for (text, wanted) in [
        ("https://x.com/p/010-1234-5678", "https://x.com/p/<PHONE>"),
        ("https://x.com/?phone=01012345678", "https://x.com/?phone=<PHONE>"),
        ("https://x.com 01012345678", "https://x.com <PHONE>"),
        ("https://x.com,01012345678", "https://x.com,<PHONE>"),
        ("01012345678.jpgs", "<PHONE>.jpgs"),
        ("사진/01012345678.", "사진/<PHONE>."),
    ] {
        assert_eq!(masked(text), wanted);
    }
}

#[test]
fn what_is_off_or_counted_stays() {
    let spec: FilterSpec = toml::from_str("pii = { phone = 'off', email = 'count', card = 'drop' }").unwrap();
    let filter = spec.build().unwrap();
    let mut page = document("010-1234-5678 abc@naver.com 900101-1234568");
    let mut metrics = Metrics::new();
    assert!(filter.apply(&mut page, &mut metrics).is_keep());
    assert_eq!(page.text, "010-1234-5678 abc@naver.com <RESIDENT-NUMBER>");
    assert_eq!((metrics.get("pii-email"), metrics.get("pii-phone"), metrics.get("pii-resident-number")), (Some(1.0), None, Some(1.0)));
    let mut page = document("4111-1111-1111-1111 abc@naver.com");
    let verdict = filter.apply(&mut page, &mut Metrics::new());
    assert_eq!(verdict, crate::Verdict::Drop(crate::Reason::above("pii/card", 1.0, 0.0)));
    assert_eq!(page.text, "4111-1111-1111-1111 abc@naver.com");
    let off = CLASSES.iter().map(|class| format!("{} = 'off'", class.option)).collect::<Vec<_>>().join(", ");
    let spec: FilterSpec = toml::from_str(&format!("pii = {{ {off} }}")).unwrap();
    assert_eq!(spec.validate(&[]).unwrap_err().key(), "email");
}

#[test]
fn placeholders_survive_normalize_and_are_no_context() {
    let text: String = CLASSES.iter().map(|class| format!("{} 와 02 123 4567 M12345678 ", class.placeholder)).collect();
    let text = text.trim_end();
    assert_eq!(masked(text), text);
    let spec: FilterSpec = toml::from_str("normalize = { preset = 'seed' }").unwrap();
    let mut page = document(text);
    spec.build().unwrap().apply(&mut page, &mut Metrics::new());
    assert_eq!(page.text, text);
    assert_eq!(NormalizeConfig::NAME, spec.name());
}
