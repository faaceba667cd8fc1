//! Every word of the page that is not data, in English and Korean, side by side.
//!
//! `{0}`, `{1}`, .. stand for values; the order may differ between the languages. Labels go into
//! the page as they are, so they hold no character that HTML treats specially.

use super::Lang;

macro_rules! labels {
    ($($name:ident: $en:literal, $ko:literal;)*) => {
        /// One language's labels.
        pub(super) struct Labels { $(pub(super) $name: &'static str,)* }
        static EN: Labels = Labels { $($name: $en,)* };
        static KO: Labels = Labels { $($name: $ko,)* };
        /// Name, English, Korean.
        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $ko),)*];
    };
}

pub(super) fn labels(lang: Lang) -> &'static Labels {
    match lang {
        Lang::En => &EN,
        Lang::Ko => &KO,
    }
}

labels! {
    // The page.
    title: "run report", "실행 보고서";
    contents: "Contents", "목차";
    summary: "Summary", "요약";
    warnings: "Warnings", "경고";
    recipe: "Recipe", "레시피";
    recipe_lead: "The resolved recipe", "모든 값이 채워진 레시피";
    seed: "Seed", "시드";
    time: "Time", "소요 시간";
    sources: "Sources", "소스";
    total: "Total", "합계";
    section_absent: "Nothing to show: the run did not get this far, or the recipe has no such stage.", "표시할 내용이 없습니다. 실행이 여기까지 진행되지 않았거나 레시피에 없는 단계입니다.";
    not_reached: "not reached", "진행 전";
    // Outcomes.
    input: "Input", "입력";
    unreadable: "Unreadable", "읽기 실패";
    rejected: "Rejected", "필터 탈락";
    passed: "Passed the filters", "필터 통과";
    duplicates: "Duplicates", "중복";
    kept: "Kept", "보존";
    rewritten: "Trimmed inside documents", "문서 안에서 정리";
    trimmed_lines: "Repeated lines", "반복되는 줄";
    excerpted: "Repeated passages", "반복되는 구절";
    tokens: "Tokens", "토큰";
    // Summary.
    went_in: "Went in", "들어온 것";
    was_lost: "Lost on the way", "걸러진 것";
    came_out: "Came out", "남은 것";
    share_of_input: "{0} of the input", "입력의 {0}";
    unit_document: "document", "문서";
    unit_documents: "documents", "문서";
    document_one: "{0} document", "문서 {0}건";
    document_many: "{0} documents", "문서 {0}건";
    tokens_n: "{0} tokens", "토큰 {0}개";
    of_them_drawn: "training draws {0}", "학습에 {0}개 사용";
    in_shards: "in the shards", "샤드에 기록됨";
    parameters_n: "{0} parameters", "파라미터 {0}개";
    steps_n: "step {0}", "스텝 {0}";
    n_of_m: "{0} of {1}", "{1} 중 {0}";
    lost_why: "What was lost, and why", "무엇이 왜 걸러졌는가";
    nothing_lost: "Nothing was lost.", "걸러진 문서가 없습니다.";
    model_reached: "What the model reached: held-out bits per byte", "모델이 도달한 곳: 평가 데이터의 바이트당 비트";
    bits_note: "Lower is better. Measured at step {0} on text that was not trained on.", "낮을수록 좋습니다. 학습에 쓰지 않은 글로 스텝 {0}에서 측정했습니다.";
    no_evaluation: "No evaluation was made.", "평가를 하지 않았습니다.";
    from_value: "from {0}", "처음 {0}";
    balanced: "The ledger balances", "장부가 맞습니다";
    unbalanced: "The ledger does not balance", "장부가 맞지 않습니다";
    status_repeats: "Training repeats {0}", "학습에서 반복: {0}";
    warning_one: "{0} warning", "경고 {0}건";
    warning_many: "{0} warnings", "경고 {0}건";
    more_warnings: "and {0} more", "외 {0}건";
    stopped_before: "Stopped before {0}", "{0} 전에 멈춤";
    stage_clean: "cleaning", "정제";
    stage_dedup: "deduplication", "중복 제거";
    stage_tokenize: "tokenizing", "토큰화";
    stage_train: "training", "학습";
    // Funnel.
    funnel: "Funnel", "단계별 문서 수";
    funnel_lead: "Documents, and below them the bytes of their text. The upper bar is documents, the lower one bytes; each bar is the whole input of its row.", "위는 문서 수, 아래는 글의 바이트 수입니다. 굵은 막대는 문서, 가는 막대는 바이트이며, 막대 하나가 그 줄의 입력 전체입니다.";
    col_source: "Source", "소스";
    col_outcome: "Outcome", "결과";
    col_documents: "Documents", "문서 수";
    col_bytes: "Bytes", "바이트";
    // Ledger.
    ledger: "Ledger", "장부";
    ledger_lead: "Everything that came in is somewhere. Checked here from the counts of each stage; the audit command recounts it from the files.", "들어온 것은 모두 어딘가에 있어야 합니다. 여기서는 단계별 집계로 확인했고, audit 명령은 파일에서 다시 셉니다.";
    ledger_documents: "Documents", "문서";
    ledger_bytes: "Bytes of text", "글의 바이트";
    ledger_tokens: "Tokens", "토큰";
    ledger_training: "Training targets", "학습 대상 토큰";
    tokens_of_kept: "of kept documents", "보존된 문서의 토큰";
    to_train_on: "to train on", "학습용";
    held_out: "Held out", "평가용";
    trained: "trained", "학습함";
    masked: "masked", "마스킹함";
    drawn: "Drawn", "사용량";
    off_by: "Off by {0}: the left side minus the right side.", "차이 {0} (왼쪽에서 오른쪽을 뺀 값)";
    off_sources: "These sources do not balance by themselves: {0}", "다음 소스는 그 자체로 맞지 않습니다: {0}";
    // Reasons.
    reasons: "Why documents were dropped", "문서가 탈락한 이유";
    reasons_lead: "Each document is counted under the first rule that it failed. The bars are cut by bucket.", "문서는 처음 걸린 규칙 하나에만 집계됩니다. 막대는 버킷별로 나눈 것입니다.";
    reasons_none: "No filter dropped anything.", "필터에 걸린 문서가 없습니다.";
    col_rule: "Rule", "규칙";
    col_buckets: "Buckets", "버킷";
    col_dropped: "Dropped", "탈락";
    col_share_rejected: "Of all rejected", "탈락 중 비율";
    col_values: "Values measured", "측정값 범위";
    col_threshold: "Threshold", "기준값";
    more_rules: "{0} more rules", "그 밖의 규칙 {0}개";
    samples_dropped: "Samples of what was dropped", "탈락한 문서의 예";
    samples_unreadable: "Records that could not be read", "읽지 못한 레코드";
    // Duplicates.
    duplicates_lead: "{0} ({1}) were removed; they belong to {2} clusters, of which one document each stays.", "{0}({1})을 제거했습니다. 묶음은 {2}개이며 묶음마다 한 건이 남습니다.";
    duplicates_none: "No duplicates were found.", "중복이 없습니다.";
    col_kind: "Kind", "종류";
    col_share_input: "Of the input", "입력 중 비율";
    kind_exact: "Exact copy", "완전히 같음";
    kind_minhash: "Near copy (MinHash)", "거의 같음 (MinHash)";
    kind_simhash: "Near copy (SimHash)", "거의 같음 (SimHash)";
    kind_url: "Same address", "같은 주소";
    kind_lines: "Nothing but repeated lines", "반복되는 줄뿐";
    kind_substrings: "Nothing but repeated passages", "반복되는 구절뿐";
    largest_clusters: "The largest clusters", "가장 큰 묶음";
    similarity: "similarity", "유사도";
    longest_passages: "The longest repeated passages", "가장 긴 반복 구절";
    passages_lead: "A document lost the passage shown; the other one has it.", "앞 문서에서 구절을 뺐고, 뒤 문서에는 남아 있습니다.";
    col_lost_by: "Lost by", "뺀 문서";
    col_stands_in: "Stands in", "남은 문서";
    col_passage: "Passage", "구절";
    col_words: "Words", "단어";
    tag_kept: "kept", "보존";
    tag_removed: "removed", "제거";
    same_text: "The same text.", "같은 글입니다.";
    same_excerpt: "The same as far as it is shown.", "표시된 부분까지는 같은 글입니다.";
    // Evaluation sets.
    contamination: "Evaluation sets", "평가 데이터 오염";
    contamination_lead: "Items of evaluation sets that stand in documents. Items below the length that the filter looks for are not searchable.", "문서에 들어 있는 평가 문항입니다. 필터가 찾는 길이보다 짧은 문항은 찾을 수 없습니다.";
    col_set: "Set", "평가 데이터";
    col_items: "Items", "문항";
    col_searchable: "Searchable", "찾을 수 있는 문항";
    col_found: "Found", "찾은 문항";
    // Lengths and languages.
    lengths: "Lengths", "문서 길이";
    lengths_lead: "Documents that passed the filters, by length in characters; the bins are even on a logarithmic scale.", "필터를 통과한 문서를 글자 수로 나눈 분포입니다. 구간은 로그 간격입니다.";
    axis_lengths: "documents by characters", "글자 수별 문서 수";
    chars_n: "{0} characters", "글자 수 {0}";
    or_more: "{0} or more", "{0} 이상";
    median_in: "median {0}", "중앙값 {0}";
    languages: "Languages", "언어";
    languages_lead: "Documents by the language that was found in them, dropped ones included.", "문서에서 판별한 언어입니다. 탈락한 문서도 포함합니다.";
    languages_none: "No document has a language.", "언어가 판별된 문서가 없습니다.";
    col_language: "Language", "언어";
    col_share: "Share", "비율";
    more_languages: "{0} more languages", "그 밖의 언어 {0}개";
    lang_ko: "Korean", "한국어";
    lang_en: "English", "영어";
    lang_ja: "Japanese", "일본어";
    lang_zh: "Chinese", "중국어";
    lang_de: "German", "독일어";
    lang_fr: "French", "프랑스어";
    lang_es: "Spanish", "스페인어";
    lang_ru: "Russian", "러시아어";
    // Tokenizer and mixture.
    tokenizer: "Tokenizer", "토크나이저";
    kind: "Kind", "종류";
    vocabulary: "Vocabulary", "어휘 수";
    fingerprint: "Fingerprint", "지문";
    col_bucket: "Bucket", "버킷";
    chars_per_token: "Characters per token", "토큰당 글자 수";
    bytes_per_token: "Bytes per token", "토큰당 바이트";
    tokens_per_word: "Tokens per word", "어절당 토큰 수";
    partial_tokens: "Parts of characters", "글자 조각 토큰";
    lost_text: "Text lost", "잃은 글";
    syllables: "Hangul syllables with a token", "토큰이 있는 한글 음절";
    col_text: "Text", "글의 양";
    mixture: "Token mixture", "토큰 배합";
    mixture_lead: "What the recipe wants, what training draws, and what the shards hold, by tokens.", "레시피의 목표, 학습에 쓰는 양, 샤드에 있는 양을 토큰 수로 비교합니다.";
    mixture_unplanned: "What the shards hold; the recipe trains nothing, so nothing is drawn.", "샤드에 있는 양입니다. 레시피에 학습이 없어 사용 계획이 없습니다.";
    repeats: "{0} repeats: it is gone through {1} times, so {2} tokens ({3} of what is drawn from it) are seen again.", "{0} 버킷이 반복됩니다. {1}번 돌기 때문에 토큰 {2}개(사용량의 {3})를 다시 봅니다.";
    rehydrated: "{0} has documents again that stand for copies: an epoch has {1} such tokens among {2} ({3}).", "{0} 버킷은 여러 사본을 대신하는 문서를 다시 봅니다. 한 에폭의 토큰 {2}개 가운데 {1}개({3})가 그런 반복입니다.";
    beyond_cap: "That is beyond the {0} epochs that the recipe allows.", "레시피가 허용한 {0} 에폭을 넘습니다.";
    reduced: "{0} tokens were asked for; the epoch caps allow {1}.", "토큰 {0}개를 요청했지만 에폭 제한 때문에 {1}개만 사용합니다.";
    target: "Target", "목표";
    available: "Available", "보유량";
    col_drawn_share: "Share drawn", "실제 비율";
    epochs: "Epochs", "에폭";
    at_most: "of at most {0}", "최대 {0}";
    repeated: "Repeated", "반복 토큰";
    // Training.
    training: "Training", "학습";
    objective: "Objective", "목적";
    parameters: "Parameters", "파라미터";
    device: "Device", "장치";
    steps: "Steps", "스텝";
    tokens_trained: "Tokens trained", "학습한 토큰";
    tokens_per_second: "Tokens per second", "초당 토큰";
    final_loss: "Final train loss", "최종 학습 손실";
    loss_not_finite: "The loss was not finite at {0} of the logged steps, first at step {1}.", "기록된 스텝 중 {0}개에서 손실이 유한하지 않았습니다(처음은 스텝 {1}).";
    training_unfinished: "Training stands at step {0} of {1}.", "학습이 {1}스텝 중 {0}스텝까지 진행되었습니다.";
    training_stopped: "Training ended early at step {0} of {1}: held-out text had stopped to improve.", "평가 데이터가 더 나아지지 않아 학습이 {1}스텝 중 {0}스텝에서 일찍 끝났습니다.";
    best_loss_at: "loss {0} at step {1}", "스텝 {1}에서 손실 {0}";
    preferences: "Held-out judged answers", "평가용 선호 데이터";
    preferences_lead: "As of step {0}. A correlation of rewards with lengths far from 0, or accuracies that differ between shorter and longer chosen answers, mean that the model judges by length.", "스텝 {0} 기준. 보상과 길이의 상관이 0에서 멀거나 선택된 답이 짧을 때와 길 때의 정확도가 다르면 모델이 길이로 판단하고 있다는 뜻입니다.";
    col_loss: "Loss", "손실";
    col_answers: "Answers", "답변";
    col_accuracy: "Accuracy", "정확도";
    col_margin: "Margin", "마진";
    col_calibration: "Calibration error", "보정 오차";
    col_length: "Correlation with length", "길이와의 상관";
    col_shorter: "Accuracy, chosen shorter", "정확도, 선택이 짧을 때";
    col_longer: "Accuracy, chosen longer", "정확도, 선택이 길 때";
    chart_accuracy: "Held-out accuracy", "평가 정확도";
    chart_held_out_loss: "Held-out loss", "평가 손실";
    best_step: "Best evaluation", "가장 좋은 평가";
    best_at: "{0} bits per byte at step {1}", "스텝 {1}에서 바이트당 {0}비트";
    untrained: "Tokens never trained", "학습되지 않은 토큰";
    new_untrained: "{0} of {1} new tokens have learned nothing from text: {2}", "새 토큰 {1}개 중 {0}개는 글에서 아무것도 배우지 못했습니다: {2}";
    untrained_examples: "Tokens that no text of the training has: {0}", "학습에 쓴 글에 없는 토큰: {0}";
    chart_loss: "Train loss", "학습 손실";
    chart_bits: "Held-out bits per byte", "평가 데이터의 바이트당 비트";
    chart_rate: "Learning rate", "학습률";
    chart_norm: "Gradient norm", "기울기 크기";
    chart_speed: "Speed", "속도";
    by_step: "by step", "스텝별";
    axis_nats: "nats per token, by step", "토큰당 내트, 스텝별";
    axis_speed: "tokens per second, by step", "초당 토큰, 스텝별";
    train_loss: "train loss", "학습 손실";
    train_loss_mean: "running mean", "이동 평균";
    not_finite: "not finite", "유한하지 않음";
    generations: "What the model writes", "모델이 쓴 글";
    generations_lead: "Bold is what it was given.", "굵은 글씨가 주어진 부분입니다.";
    generation_reward: "reward {0}", "보상 {0}";
    generations_before: "On the way there", "그 전에 쓴 글";
    at_step: "step {0}", "스텝 {0}";
    // Timings.
    timings: "Time by stage", "단계별 시간";
    col_stage: "Stage", "단계";
    col_rate: "Rate", "처리 속도";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(label: &str) -> Vec<&str> {
        let mut places: Vec<&str> = label.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|place| place.0).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    #[test]
    fn korean_labels_are_complete_and_korean() {
        for (name, en, ko) in ALL {
            assert!(!en.trim().is_empty() && !ko.trim().is_empty(), "{name} is empty");
            assert!(ko.chars().any(|c| ('가'..='힣').contains(&c)), "{name}: {ko} has no Hangul");
            assert!(en.is_ascii(), "{name}: {en}");
        }
    }

    #[test]
    fn both_languages_take_the_same_values() {
        for (name, en, ko) in ALL {
            assert_eq!(places(en), places(ko), "{name}");
        }
    }

    #[test]
    fn labels_need_no_escaping() {
        for (name, en, ko) in ALL {
            assert!(!format!("{en}{ko}").contains(['<', '>', '&', '"', '\'']), "{name}");
        }
    }
}
