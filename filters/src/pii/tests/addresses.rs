//! Mail, network and street addresses, and passports.

use super::*;

#[test]
fn emails() {
    all_become(
        "<EMAIL>",
        &[
            "abc@naver.com",
            "a.b+c_d@mail.korea.co.kr",
            "hong1234@gmail.com",
            "abc＠naver.com",
            "010-1234-5678@hanmail.net",
            "A@B.KR",
            "user@example.com",
        ],
    );
    assert_eq!(masked("메일abc@naver.com로"), "메일<EMAIL>로");
    assert_eq!(masked("쓰세요...abc@naver.com."), "쓰세요...<EMAIL>.");
    assert_eq!(masked("abc@naver.com.It"), "<EMAIL>.It");
    assert_eq!(masked("Hong.Gil-Dong@Sub.Company.Co.Kr"), "<EMAIL>");
    assert_eq!(masked("https://u:p4ss@db.host.net/x"), "https://u:<EMAIL>/x");
    all_stay(&[
        "@user",
        "@app.route",
        "git@github.com:a/b.git",
        "icon@2x.png",
        "react@18.2.0",
        "a@b",
        "a@.com",
        "@@@@",
        "medium.com/@name.kr",
        "x@y.local",
        "npm i pkg@latest",
    ]);
}

#[test]
fn addresses_of_the_network() {
    all_become("<IP>", &["211.234.56.78", "2001:4860:4860::8888", "2a00:1450:4001:81b:0:0:0:200e", "２１１．２３４．５６．７８"]);
    assert_eq!(masked("http://211.234.56.78:8080/"), "http://<IP>:8080/");
    assert_eq!(masked("211.234.56.78에서"), "<IP>에서");
    assert_eq!(masked("접속 IP: 1.2.3.4, 아이피 8.8.8.8에서"), "접속 IP: <IP>, 아이피 <IP>에서");
    all_stay(&[
        "1.2.3.4",
        "22.4.1.4",
        "13.2.5.72",
        "2.5.29.120",
        "192.168.0.1",
        "10.20.30.40",
        "127.0.0.1",
        "8.8.8.8",
        "192.0.2.33",
        "IP 192.168.0.1",
        "IP 버전 1.2.3.4",
        "255.255.255.0",
        "version 21.3.4.5",
        "v21.30.4.5",
        "Chrome/91.30.44.124",
        "3.2.1.4.25",
        "1.256.3.4",
        "021.30.4.5",
        "fe80::1",
        "::1",
        "std::fs::File",
        "add::bad",
        "12:30:45",
        "2001:db8::1",
    ]);
    assert_eq!(masked_in("AssemblyVersion(\"31.4.5.0\")", Some("c#")), "AssemblyVersion(\"31.4.5.0\")");
}

#[test]
fn passports_need_a_word() {
    for (text, wanted) in [
        ("여권번호 M12345678", "여권번호 <PASSPORT>"),
        ("여권M123A4567입니다", "여권<PASSPORT>입니다"),
        ("passport no. AB1234567", "passport no. <PASSPORT>"),
        ("Passport: 123456789", "Passport: <PASSPORT>"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&["M12345678", "여권 사진 35mm", "여권법 제12345678호"]);
}

#[test]
fn street_addresses() {
    for (text, wanted) in [
        ("서울특별시 강남구 테헤란로 123", "<STREET-ADDRESS>"),
        ("집은 서울시 강남구 역삼동 123-45번지입니다", "집은 <STREET-ADDRESS>입니다"),
        ("경기도 성남시 분당구 판교역로 235에 산다", "<STREET-ADDRESS>에 산다"),
        ("서울 종로구 종로3가 12-3, 4층", "<STREET-ADDRESS>"),
        ("경상남도 창원시 의창구 중앙대로 151번길 10", "<STREET-ADDRESS>"),
        ("주소:수원시 팔달구 효원로 1, 101동 1203호 끝", "주소:<STREET-ADDRESS> 끝"),
        ("부산광역시 해운대구 우동 1408 래미안아파트 101동 1203호", "<STREET-ADDRESS>"),
        ("강원도 춘천시 신북읍 천전리 산 12-3", "<STREET-ADDRESS>"),
        ("제주특별자치도 제주시 첨단로 242", "<STREET-ADDRESS>"),
        ("세종특별자치시 한누리대로 2130", "<STREET-ADDRESS>"),
        ("서울 강남구 대치동 12호입니다", "<STREET-ADDRESS>입니다"),
        ("서울 마포구 상암동 12-1인 집", "<STREET-ADDRESS>인 집"),
        ("서울특별시 서초구 서초동 12-1 2층 건물", "<STREET-ADDRESS> 건물"),
    ] {
        assert_eq!(masked(text), wanted);
    }
    all_stay(&[
        "서울특별시 강남구",
        "강남구 테헤란로 123",
        "서울시 강동구 둔촌동 12,032가구",
        "서울 송파구 잠실동 84㎡ 아파트가",
        "서울 송파구 잠실동 84.5㎡",
        "경기 성남시 분당구 정자동 12.5% 상승",
        "서울 강남구 개포동 3~4억원대",
        "서울 성북구 정릉동 2023.05.06",
        "서울 성북구 정릉동 2023-05-06 촬영",
        "서울 성북구 길음동 12:30에",
        "대전 유성구 궁동 1-2인 가구",
        "서울에서 부산으로 가는 길 3개",
        "서울 강남구 회의로 3일",
        "역시 친구로 3명이",
        "정도 다시 연구로 5",
        "제주도 서귀포시 우리 12명",
        "서울시 강남구 대치동 2호선",
        "서울 마포구 상암동 1인 가구",
        "서울특별시 서초구 서초동 2층 건물",
        "대구 동구 신천동 2-1 승리",
        "서울시 도로 3-1",
    ]);
}
