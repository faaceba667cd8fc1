//! What was checked, what did not add up, and what there is in all.

use std::collections::BTreeMap;

use serde_json::json;
use shards::Lost;

use super::rows::Rows;
use crate::record::Count;
use crate::report::Ui;

/// What has been checked so far, and what did not add up.
pub(super) struct Ledger<'a> {
    pub(super) ui: &'a Ui,
    pub(super) checks: u64,
    pub(super) faults: Vec<String>,
}

impl Ledger<'_> {
    pub(super) fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.fault(fault());
        }
    }

    pub(super) fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, left: &T, right: &T) {
        self.check(left == right, || format!("{what}: {left:?} is not {right:?}"));
    }

    /// A result, or a fault with its message.
    pub(super) fn take<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        self.checks += 1;
        result.map_err(|error| self.fault(error.to_string())).ok()
    }

    pub(super) fn fault(&mut self, fault: String) {
        self.ui.event("fault", &json!({ "message": fault }));
        self.ui.data(format!("FAULT  {fault}"));
        self.faults.push(fault);
    }
}

/// Totals over all parts.
#[derive(Default, serde::Serialize)]
pub(super) struct Totals {
    pub(super) input: Count,
    pub(super) kept: Count,
    pub(super) rejected: Count,
    pub(super) duplicate: Count,
    pub(super) unreadable: u64,
    pub(super) encoded: Count,
    /// Of the encoded texts, what their tokens do not say.
    pub(super) lost: Lost,
    pub(super) imported: Count,
    pub(super) tokens: u64,
    pub(super) held_out_tokens: u64,
    /// By part, the rows that are encoded. One bit for each record of the input.
    #[serde(skip)]
    pub(super) encoded_rows: BTreeMap<String, Rows>,
}
