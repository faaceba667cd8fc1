//! What is asked of the model, and how its text is read as conversations.

use serde::{Deserialize, Serialize};

/// What a text is to consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Questions that the document answers, each a conversation of its own.
    QaPairs,
    /// One conversation about the document.
    Conversations,
    /// Tasks with the document's content, and how they are done; each a conversation of its own.
    Instructions,
}

/// A turn of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) role: String,
    pub(super) content: String,
}

/// Words that begin a turn, without the colon after them.
const USER: [&str; 10] = ["질문", "사용자", "지시", "지시사항", "Q", "Question", "User", "Instruction", "문", "Human"];
const ASSISTANT: [&str; 10] = ["답", "답변", "도우미", "응답", "A", "Answer", "Assistant", "Response", "정답", "AI"];

impl Kind {
    /// Its name in files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::QaPairs => "qa-pairs",
            Self::Conversations => "conversations",
            Self::Instructions => "instructions",
        }
    }

    /// What the model is asked.
    pub(super) fn prompt(self) -> &'static str {
        match self {
            Self::QaPairs => {
                "다음 글을 읽고, 이 글만으로 답할 수 있는 질문과 답을 세 쌍 쓰세요. 질문에는 글이 없어도 뜻이 통하도록 필요한 말을 다 넣으세요. \
                 아래 형식만 쓰고 다른 말은 덧붙이지 마세요.\n\n질문: …\n답: …\n\n글:\n{text}"
            }
            Self::Conversations => {
                "다음 글의 내용을 두고 사용자와 도우미가 나누는 대화를 쓰세요. 두 사람이 번갈아 세 번씩 말하고, 도우미는 글에 있는 사실만 말합니다. \
                 아래 형식만 쓰고 다른 말은 덧붙이지 마세요.\n\n사용자: …\n도우미: …\n\n글:\n{text}"
            }
            Self::Instructions => {
                "다음 글의 내용으로 할 수 있는 일을 하나 지시하고, 그 지시를 따른 결과를 쓰세요. 지시에는 일에 필요한 내용을 다 넣으세요. \
                 아래 형식만 쓰고 다른 말은 덧붙이지 마세요.\n\n지시: …\n응답: …\n\n글:\n{text}"
            }
        }
    }

    /// Conversations in a text. `cut` is one that ended because it had as many tokens as it may have: its last turn is
    /// not whole.
    ///
    /// # Errors
    /// Why there are none, in few words, for counting.
    pub(super) fn read(self, text: &str, cut: bool) -> Result<Vec<Vec<Turn>>, &'static str> {
        let mut turns = turns(text);
        if turns.is_empty() {
            return Err("without the form that was asked for");
        }
        if cut {
            turns.pop();
        }
        // A conversation begins with a question and ends with an answer.
        let first = turns.iter().position(|turn| turn.role == "user").unwrap_or(turns.len());
        turns.drain(..first);
        let last = turns.iter().rposition(|turn| turn.role == "assistant").map_or(0, |last| last + 1);
        turns.truncate(last);
        if turns.is_empty() {
            return Err("without a whole question and answer");
        }
        if turns.windows(2).any(|pair| pair[0].role == pair[1].role) {
            return Err("two turns of one speaker after each other");
        }
        if turns.iter().any(|turn| turn.content.is_empty() || turn.content == "…" || turn.content == "...") {
            return Err("an empty turn");
        }
        Ok(match self {
            Self::Conversations => vec![turns],
            Self::QaPairs | Self::Instructions => turns.chunks_exact(2).map(<[Turn]>::to_vec).collect(),
        })
    }
}

/// Turns: each begins with a line that has a word for its speaker and a colon, and goes on to the next.
fn turns(text: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in text.lines() {
        match label(line) {
            Some((role, rest)) => turns.push(Turn { role: role.to_owned(), content: rest.trim().to_owned() }),
            None => {
                if let Some(turn) = turns.last_mut() {
                    turn.content.push('\n');
                    turn.content.push_str(line.trim_end());
                }
            }
        }
    }
    turns.iter_mut().for_each(|turn| turn.content = turn.content.trim().to_owned());
    turns
}

/// The speaker that a line names, and what follows: `**질문 1:** 왜?`.
fn label(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim_start_matches([' ', '\t', '*', '#', '-', '>', '[']);
    let (word, rest) = line.split_once([':', '：'])?;
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '*' | '.' | ']' | ')'));
    let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let role = if is(&USER) {
        "user"
    } else if is(&ASSISTANT) {
        "assistant"
    } else {
        return None;
    };
    Some((role, rest.trim_start_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: Kind, text: &str, cut: bool) -> Result<Vec<Vec<String>>, &'static str> {
        let short = |turn: Turn| format!("{}:{}", &turn.role[..1], turn.content);
        Ok(kind.read(text, cut)?.into_iter().map(|turns| turns.into_iter().map(short).collect()).collect())
    }

    #[test]
    fn pairs_are_conversations_of_their_own() {
        let text =
            "물론입니다.\n\n**질문 1:** 해는 어디서 뜨나요?\n답변: 동쪽에서\n뜹니다.\n\nQ2. : 달은?\nA： 밤에 뜹니다: 늘.\n질문: 남은";
        let expected = vec![vec!["u:해는 어디서 뜨나요?", "a:동쪽에서\n뜹니다."], vec!["u:달은?", "a:밤에 뜹니다: 늘."]];
        assert_eq!(said(Kind::QaPairs, text, false).unwrap(), expected);
        assert_eq!(said(Kind::Conversations, text, false).unwrap(), [expected.concat()]);
        // A text that ran out of tokens loses what is not whole.
        assert_eq!(said(Kind::QaPairs, "질문: a\n답: b\n질문: c\n답: 끊", true).unwrap(), [["u:a", "a:b"]]);
        assert_eq!(said(Kind::Instructions, "지시: 요약하라\n응답: 요약", false).unwrap(), [["u:요약하라", "a:요약"]]);
    }

    #[test]
    fn texts_of_another_form_are_none() {
        for (text, cut, why) in [
            ("그냥 글입니다.\n이유: 없음", false, "without the form"),
            ("질문: a", false, "whole question and answer"),
            ("질문: a\n답: b", true, "whole question and answer"),
            ("답: b", false, "whole question and answer"),
            ("질문: a\n질문: b\n답: c", false, "one speaker"),
            ("질문: …\n답: …", false, "an empty turn"),
            ("질문:\n답: x", false, "an empty turn"),
            ("", false, "without the form"),
        ] {
            assert!(said(Kind::QaPairs, text, cut).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn the_own_prompts_name_their_document_once() {
        for kind in [Kind::QaPairs, Kind::Conversations, Kind::Instructions] {
            assert_eq!(kind.prompt().matches("{text}").count(), 1);
            // The form that is asked for is one that is read; as it stands, nobody has filled it out.
            assert_eq!(kind.read(kind.prompt(), false), Err("an empty turn"));
        }
    }
}
