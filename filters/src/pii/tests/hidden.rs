//! What is written so that a plain search misses it.

use super::*;

#[test]
fn phones_in_other_letters() {
    all_become(
        "<PHONE>",
        &[
            "공일공-일이삼사-오육칠팔",
            "공일공 일이삼사 오육칠팔",
            "공일공일이삼사오육칠팔",
            "영일영-1234-5678",
            "공 일 공 일 이 삼 사 오 육 칠 팔",
            "공일공.1234.5678",
            "010-일이삼사-오육칠팔",
            "010일이삼사오륙칠팔",
            "공1공-1234-5678",
            "공일일-234-5678",
            "010_1234_5678",
            "010~1234~5678",
            "010*1234*5678",
            "010=1234=5678",
            "010. 1234. 5678",
            "010★1234★5678",
            "010…1234…5678",
            "⓪①⓪-①②③④-⑤⑥⑦⑧",
            "0️⃣1️⃣0️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣",
        ],
    );
    for (text, wanted) in [
        ("O1O-1234-5678", "<PHONE>"),
        ("o1o 1234 5678", "<PHONE>"),
        ("번호는 OlO-1234-5678이고", "번호는 <PHONE>이고"),
        ("0l0-1234-5678", "<PHONE>"),
        ("0I0.1234.5678", "<PHONE>"),
        ("01O-1234-5678로", "<PHONE>로"),
        ("O10-1234-5678,", "<PHONE>,"),
        ("O1O12345678", "<PHONE>"),
        ("010-l234-567O", "<PHONE>"),
        ("(공일공-일이삼사-오육칠팔이에요)", "(<PHONE>이에요)"),
        ("공일공일이삼사오육칠팔이구요", "<PHONE>이구요"),
        ("공일공 일이삼사 오육칠팔, 공일공 팔칠육오 사삼이일", "<PHONE>, <PHONE>"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&[
        "이공일공 일이삼사 오육칠팔",
        "공일공 일이삼사",
        "공일오비의 노래",
        "영일만 친구, 공일이 이틀",
        "일이삼사오육칠팔구",
        "공일공일이삼사오육칠팔구공일이",
        "IMG_010_1234_5678.jpg",
        "010_1234_5678.png",
        "20190101_010_1234_5678",
        "x_010_1234_5678",
        "010_1234_5678_9",
        "010~1234*5678",
        "010★1234…56",
        "1/010/1234/5678",
        "1*010*1234*5678",
        "O1O-1234-567",
        "FOO1O-1234-5678",
        "oil-1234-5678",
        "l0l0-1234-5678",
        "010-OlOl-OlOl",
        "1.0.10.1234",
        "1.0.10.1234.5678",
        "제10조제1234항",
        "2010. 1234. 5678",
        "0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8",
        "0 1 0 1 2 3 4 5 6 7 8",
        "ISBN 979-11-1234-567-8",
        "모델 A010-B1234-5678",
        "010,123,456원",
        "010.12.34",
    ]);
}

#[test]
fn emails_with_a_hidden_sign() {
    for (text, wanted) in [
        ("name(at)naver.com", "<EMAIL>"),
        ("name[at]naver.com으로", "<EMAIL>으로"),
        ("Name.Of (at) company.co.kr", "<EMAIL>"),
        ("name{at}site.org", "<EMAIL>"),
        ("name<at>site.org", "<EMAIL>"),
        ("hong1234(AT)gmail.com.", "<EMAIL>."),
        ("name (at) site (dot) org", "<EMAIL>"),
        ("name[at]site[dot]co[dot]kr", "<EMAIL>"),
        ("name(골뱅이)naver.com", "<EMAIL>"),
        ("메일은name골뱅이naver.com입니다", "메일은<EMAIL>입니다"),
        ("name 골뱅이 네이버 닷컴", "<EMAIL>"),
        ("name골뱅이네이버점컴이요", "<EMAIL>이요"),
        ("name골뱅이지메일.com", "<EMAIL>"),
        ("name골뱅이gmail점com", "<EMAIL>"),
        ("name(a)naver.com", "<EMAIL>"),
        ("name @ naver . com", "<EMAIL>"),
        ("name @ naver.com", "<EMAIL>"),
        ("name@naver . com", "<EMAIL>"),
        ("name@ naver.com", "<EMAIL>"),
        ("name@naver. com", "<EMAIL>"),
        ("이메일 name @hanmail.net", "이메일 <EMAIL>"),
        ("name@gmail dot com", "<EMAIL>"),
        ("name@gmail점com", "<EMAIL>"),
        ("name at gmail dot com", "<EMAIL>"),
        ("NAME AT NAVER DOT COM", "<EMAIL>"),
        ("Author: A. Name <a.name at lists.site-of.org>,", "Author: A. Name <<EMAIL>>,"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&[
        "골뱅이 무침과 소면",
        "을지로 골뱅이 골목",
        "OB골뱅이 1호점",
        "골뱅이naver.com",
        "look (at) the map",
        "v(at)x.com",
        "name(at)naver",
        "names[at].is_empty()",
        "names[at] self.is_none()",
        "제3조(a)naver.com",
        "(a)naver.com 참고",
        "f(a)b.to",
        "sign up at gmail.com",
        "at gmail dot com",
        "a name at python.org>",
        "<a> at x.com>",
        "the dot product of a and b",
        "meet me @ the.to",
        "x @ w.to",
        "follow @naver.com",
        "see you @ 3.pm today",
        "3 @ 1.50 each",
    ]);
    assert_eq!(masked_in("y = name @ naver.com", Some("python")), "y = name @ naver.com");
}

#[test]
fn licences_need_a_word() {
    for (text, wanted) in [
        ("운전면허 11-12-123456-12", "운전면허 <DRIVING-LICENCE>"),
        ("운전면허번호: 28-05-987654-31입니다", "운전면허번호: <DRIVING-LICENCE>입니다"),
        ("면허증 11 12 123456 12", "면허증 <DRIVING-LICENCE>"),
        ("면허번호 111212345612", "면허번호 <DRIVING-LICENCE>"),
        ("면허번호 서울 99-123456-12", "면허번호 서울 <DRIVING-LICENCE>"),
        ("Driver's licence no. 11-12-123456-12", "Driver's licence no. <DRIVING-LICENCE>"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&[
        "11-12-123456-12",
        "면허 44-12-123456-12",
        "운전면허 2023-01-123456",
        "면허세 111212345612원",
        "운전면허 제12-3조",
        "면허 11-12-12345-12",
        "면허 번호 99-123456-12",
    ]);
}

#[test]
fn insurance_numbers_need_a_word() {
    for (text, wanted) in [
        ("건강보험증 번호 1-1234567890", "건강보험증 번호 <INSURANCE-NUMBER>"),
        ("증번호: 71234567890", "증번호: <INSURANCE-NUMBER>"),
        ("건강보험 8-0123456789로", "건강보험 <INSURANCE-NUMBER>로"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&["1-1234567890", "71234567890", "건강보험 재정 71234567890원", "건강보험증 01234567890", "건강보험 급여 71234567890"]);
}

/// 201005-312345? has the sum 130 of weighted digits, and 11 - 130 % 11 = 2; 200930-312345? has 154, and 11 - 0 = 11 ends with 1.
#[test]
fn of_those_born_since_numbers_are_random_the_checksum_says_nothing() {
    all_become("<RESIDENT-NUMBER>", &["201115-3999999", "2009303123451"]);
    assert_eq!(masked("주민등록번호 2010053123452"), "주민등록번호 <RESIDENT-NUMBER>");
    all_stay(&["2010053123452", "2010053123453", "2009303123452", "400101-3123456", "990101-4123456", "990101-7123456"]);
    all_become("<FOREIGNER-NUMBER>", &["850315-6123450", "210315-7999999"]);
}

#[test]
fn passports_old_and_new() {
    for number in ["M123A4567", "S123B4567", "M12345678", "R123C4567"] {
        assert_eq!(masked(&format!("여권번호 {number}, {number}(여권)")), "여권번호 <PASSPORT>, <PASSPORT>(여권)");
        all_stay(&[number, &format!("모델명 {number}"), &format!("여권 케이스 {number}X")]);
    }
    all_stay(&["여권 M123a4567", "여권 M12A34567", "여권 M123A456", "여권 M123A45678"]);
}

#[test]
fn accounts_beside_more_banks() {
    for text in
        ["우리 1002-123-456789", "KB 123456-78-901234", "NH 302-1234-5678-91", "카카오 3333-01-1234567", "새마을금고 9002-1234-5678-9"]
    {
        let name = text.split(' ').next().unwrap();
        assert_eq!(masked(text), format!("{name} <ACCOUNT>"));
    }
    all_stay(&["우리 1 2 3 4 5 6", "NHK 123-456-789012", "KB 12345678901", "우리 2023-01-02-03", "우리의 1002-123-456789"]);
}
