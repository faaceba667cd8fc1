//! The phrases of boilerplate lines, in small letters.

/// A line without any of these is not looked at.
#[rustfmt::skip]
pub(super) const SIGNS: &[&str] = &[
    "copyright", "ⓒ", "©", "(c)", "rights reserved", "무단", "재배포", "저작권자", "기자", "특파원",
    "통신원", "공감", "댓글", "구독", "좋아요", "공유", "스크랩", "이웃추가", "조회수", "쿠키", "cookie", "share ",
    "tweet", "subscribe", "sign up", "newsletter", "follow us", "leave a", "like this",
    "this:", "사진=", "사진 =", "사진제공", "사진 제공", "송고",
];

/// What lines of rights are made of besides a name.
#[rustfmt::skip]
pub(super) const RIGHTS: &[&str] = &[
    "저작권자", "저작권은", "저작권", "저작물", "무단전재", "무단 전재", "무단복제", "무단 복제", "무단", "전재를", "전재",
    "재배포를", "재배포", "배포를", "배포", "복제를", "복제", "수집", "금지합니다", "금지됩니다", "금지", "금합니다", "금함",
    "불허", "및", "또는", "와", "과", "학습", "이용을", "이용", "활용", "사용", "ai", "기사의", "기사는", "기사",
    "콘텐츠의", "콘텐츠는", "콘텐츠", "본", "이 ", "모든", "에 있으며", "에 있습니다", "있으며", "있습니다", "으로", "보호",
    "받습니다", "법적", "제재", "copyrights", "copyright", "all rights reserved", "reserved", "ⓒ",
    "c", "따라", "받는", "의 ", "를", "을", "은", "는",
];

/// Titles of those who sign.
#[rustfmt::skip]
pub(super) const REPORTERS: &[&str] = &[
    "인턴기자", "수습기자", "선임기자", "전문기자", "기자", "특파원", "통신원", "논설위원",
];

/// What stands beside the name of one who signs.
#[rustfmt::skip]
pub(super) const BYLINE: &[&str] = &[
    "인턴기자", "수습기자", "선임기자", "전문기자", "인턴", "수습", "선임", "전문", "기자", "특파원", "통신원", "논설위원", "글",
    "사진", "편집", "취재", "서울", "뉴욕", "워싱턴", "도쿄", "베이징", "부산", "세종",
];

/// How names of papers and stations end.
#[rustfmt::skip]
pub(super) const PAPERS: &[&str] = &[
    "일보", "신문", "뉴스", "방송", "경제", "닷컴", "뉴시스", "뉴스1", "연합", "통신", "타임스", "투데이", "헤럴드", "저널",
];

/// Words of three syllables that begin as a name does, and are none.
#[rustfmt::skip]
pub(super) const NO_PERSONS: &[&str] = &[
    "강남구", "강동구", "강북구", "강서구", "구로구", "금천구", "노원구", "도봉구", "동작구", "마포구", "서초구", "성동구",
    "성북구", "송파구", "양천구", "용산구", "은평구", "관악구", "광진구", "중랑구", "서대문", "영등포", "정치인", "연예인",
    "언론인", "한국인", "민간인", "노동자", "여기자", "수많은", "이같은", "이러한",
];

/// Last syllables of parties, towns, offices and desks, and of words that describe: `진정한 기자`. Hardly ever of a name.
pub(super) const NO_PERSON_ENDS: &[char] = &['당', '시', '군', '청', '처', '회', '측', '팀', '사', '부', '한', '는', '의'];

/// What a line that gives the source of a picture begins with.
pub(super) const CREDITS: &[&str] = &["사진=", "사진 =", "사진제공=", "사진 제공=", "사진제공 =", "사진 제공 ="];

/// Words of an English sentence; a claim of rights names and has none of them.
#[rustfmt::skip]
pub(super) const VERBS: &[&str] = &[
    "is", "was", "are", "were", "be", "been", "belongs", "belong", "has", "have", "had", "does", "did", "can", "could",
    "will", "would", "may", "might", "should", "must", "protects", "when", "who", "which", "that", "what",
];

/// First syllables of Korean names, the most frequent of the census.
pub(super) const SURNAMES: &str = "김이박최정강조윤장임한오서신권황안송류유전홍고문양손배백허남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모탁국어은편용";

/// Words that a footer must have.
#[rustfmt::skip]
pub(super) const FOOTER_STRONG: &[&str] =
    &[
    "공감", "댓글", "구독", "좋아요", "공유하기", "공유 ", "스크랩", "이웃추가", "조회수", "알림설정",
];

/// Words that a footer may have; numbers and signs besides.
#[rustfmt::skip]
pub(super) const FOOTER: &[&str] = &[
    "공감하기", "공감과", "공감은", "공감", "댓글달기", "댓글쓰기", "댓글과", "댓글은", "댓글", "달기", "쓰기", "구독하기",
    "구독과", "구독은", "구독", "좋아요와", "좋아요는", "좋아요", "공유하기", "공유", "스크랩하기", "스크랩", "이웃추가", "이웃",
    "추가", "조회수", "조회", "추천", "비추천", "신고하기", "신고", "인쇄하기", "인쇄", "목록", "글자크기", "복사", "url",
    "링크", "카카오톡", "카카오스토리", "페이스북", "트위터", "네이버", "밴드", "블로그", "로그인", "회원가입", "이전글", "다음글",
    "답글", "등록순", "최신순", "더보기", "접기", "메뉴", "알림설정", "알림", "설정까지", "설정", "까지", "한번", "한 번",
    "꼭", "꾹꾹", "꾹", "눌러주세요", "눌러 주세요", "눌러", "누르기", "해주세요", "해 주세요", "주세요", "남겨주세요", "남겨",
    "부탁드립니다", "부탁드려요", "부탁드릴게요", "부탁해요", "부탁합니다", "부탁", "드립니다", "큰 힘이 됩니다", "힘이 됩니다",
    "힘이 돼요", "힘이 되어요", "됩니다", "큰", "힘이", "많은", "많이", "여러분의", "여러분", "채널", "유튜브", "이 글",
    "이 포스트", "포스트", "글", "영상", "영상이", "버튼", "버튼을", "클릭", "하트", "과", "와", "및", "도", "은", "는",
    "을", "를", "개", "건", "명", "ㅎ", "ㅋ", "ㅠ", "^^",
];

/// Words that ask.
#[rustfmt::skip]
pub(super) const REQUEST: &[&str] = &[
    "부탁", "주세요", "눌러", "힘이", "꾹",
];

/// How cookie banners begin.
#[rustfmt::skip]
pub(super) const BANNERS: &[&str] = &[
    "이 사이트는", "이 웹사이트는", "이 홈페이지는", "본 사이트는", "본 웹사이트는", "본 홈페이지는", "당사는 쿠키", "저희 사이트는",
    "저희는 쿠키", "we use cookies", "we and our partners use", "this site uses cookies",
    "this website uses cookies", "our site uses cookies", "our website uses cookies",
    "by continuing to", "by using this", "by using our",
];

/// What a banner says besides: that one agrees, and what it is good for.
#[rustfmt::skip]
pub(super) const CONSENT: &[&str] = &[
    "사용합니다", "사용하고 있습니다", "사용하여", "이용합니다", "수집", "동의", "허용", "개인정보", "consent", "continu", "agree", "accept",
    "experience", "improve", "personal", "privacy", "polic", "analy", "traffic", "advert", "to ensure", "to give you",
    "to provide", "to enhance", "our site", "our website", "this site", "this website",
];

/// Buttons of cookie banners.
#[rustfmt::skip]
pub(super) const COOKIE_ENDS: &[&str] = &[
    "accept cookies", "accept all cookies", "reject all cookies", "cookie settings",
    "cookie preferences", "manage cookies", "쿠키 설정", "쿠키 허용", "모든 쿠키 허용", "쿠키 동의",
    "모든 쿠키 수락",
];

/// Places where people share.
#[rustfmt::skip]
const SOCIAL: &[&str] = &[
    "facebook", "twitter", "x", "instagram", "youtube", "linkedin", "threads", "tiktok", "pinterest", "reddit", "tumblr", "telegram",
    "whatsapp", "mastodon", "bluesky", "social media", "google news", "pocket", "print", "email",
];

/// What one subscribes to.
const LETTERS: &[&str] = &[
    "newsletter",
    "newsletters",
    "free newsletter",
    "weekly newsletter",
    "daily newsletter",
    "mailing list",
    "email list",
    "channel",
    "youtube channel",
    "feed",
    "rss feed",
    "blog",
    "updates",
    "podcast",
];

/// How lines under an English text begin, and what may follow.
#[rustfmt::skip]
pub(super) const FURNITURE: &[(&str, &[&str])] = &[
    ("share this", &["post", "article", "page", "entry", "story", "with", "on"]),
    ("share on", SOCIAL),
    ("share via", SOCIAL),
    ("click to share on", SOCIAL),
    ("click to email", &["a link", "this"]),
    ("tweet this", &["post", "article"]),
    ("subscribe to our", LETTERS),
    ("subscribe now", &["to our", "for"]),
    ("subscribe to the newsletter", &[]),
    ("sign up for our", LETTERS),
    ("sign up for the newsletter", &[]),
    ("sign up to our", LETTERS),
    ("follow us on", SOCIAL),
    ("leave a reply", &["cancel"]),
    ("leave a comment", &["cancel", "below", "on this"]),
    ("like this: like", &["loading"]),
    ("like this:", &["like loading"]),
];
