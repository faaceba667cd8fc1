//! What a model reads. The forms are those that published results were made with; a change makes other results.

use super::super::item::letter;

/// lm-eval's `kmmlu`: a full-width colon, and the answer's letter after a space.
pub(super) fn kmmlu(question: &str, [a, b, c, d]: &[String; 4]) -> String {
    format!("{}\nA. {a}\nB. {b}\nC. {c}\nD. {d}\n정답：", question.trim())
}

/// The form of the guide that this project started from.
pub(super) fn kmmlu_seed(question: &str, [a, b, c, d]: &[String; 4]) -> String {
    format!("다음 문제를 읽고 정답을 선택하세요.\n\n문제: {}\n\n선택지:\nA. {a}\nB. {b}\nC. {c}\nD. {d}\n\n정답:", question.trim())
}

/// lm-eval's `click`, with all choices: it prints four of five.
pub(super) fn click(paragraph: &str, question: &str, choices: &[String]) -> String {
    let letters: Vec<String> = (0..choices.len()).map(|at| letter(at).to_string()).collect();
    let letters = letters.join(", ");
    let listed: Vec<String> = choices
        .iter()
        .enumerate()
        .map(|(at, choice)| if at == 0 { format!("{}:{choice}", letter(at)) } else { format!("{}: {choice}", letter(at)) })
        .collect();
    let listed = listed.join(", ");
    if paragraph.is_empty() {
        format!(
            "주어진 질문을 천천히 읽고, 적절한 정답을 {letters} 중에 골라 알파벳 하나로 답하시오.\n\n질문: {question}\n보기:\n{listed}\n정답:"
        )
    } else {
        format!(
            "주어진 맥락을 천천히 읽고, 질문에 대한 적절한 정답을 {letters} 중에 골라 알파벳 하나로 답하시오.\n\n맥락: {paragraph}\n질문: {question}\n보기:\n{listed}\n정답:"
        )
    }
}

/// Our own: the answer is a piece of the text.
pub(super) fn korquad(title: &str, context: &str, question: &str) -> String {
    let title = if title.is_empty() { String::new() } else { format!("제목: {title}\n") };
    format!("다음 글을 읽고 질문에 글에 나온 말로 짧게 답하세요.\n\n{title}글: {}\n\n질문: {}\n답:", context.trim(), question.trim())
}

/// Our own: the relation is one of 함의, 중립, 모순.
pub(super) fn nli(premise: &str, hypothesis: &str) -> String {
    format!("전제: {}\n가설: {}\n전제와 가설의 관계(함의, 중립, 모순):", premise.trim(), hypothesis.trim())
}

/// Our own: a degree from 0 to 5.
pub(super) fn sts(first: &str, second: &str) -> String {
    format!(
        "두 문장의 뜻이 얼마나 비슷한지 0(전혀 다름)부터 5(같음)까지의 수로 답하세요.\n문장 1: {}\n문장 2: {}\n점수:",
        first.trim(),
        second.trim()
    )
}

/// lm-eval's `hrm8k`.
pub(super) fn hrm8k(question: &str) -> String {
    format!(
        "주어진 문제를 풀어보세요.\n문제를 푼 후, 최종 답변을 다음과 같은 형식으로 작성하세요: $\\boxed{{N}}$.\n\n문제: {}\n답변:",
        question.trim()
    )
}

/// The same for problems with four numbered choices, HRM8K's part MMMLU.
pub(super) fn hrm8k_choice(question: &str) -> String {
    format!(
        "주어진 문제를 풀어보세요.\n문제를 푼 후, 주어진 선택지 (1, 2, 3, 4) 중 최종 선택지를 다음 형식으로 작성하세요: $\\boxed{{N}}$.\n\n문제: {}\n답변:",
        question.trim()
    )
}
