//! `pii`: numbers and addresses that lead to a person, masked or a reason to drop.

mod account;
mod address;
mod business;
mod card;
mod context;
mod email;
mod email_spelled;
mod groups;
mod hidden;
mod insurance;
mod ip;
mod licence;
mod passport;
mod phone;
mod place;
mod resident;
mod scan;
mod spelled;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::Filter;
use crate::mask::{self, Action, Class, Masker};
use crate::rules::Effect;
use crate::spec::{Options, SpecError};

/// Options of `pii`: what to do with each class. Default of each: `mask`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PiiConfig {
    /// E-mail addresses.
    pub email: Action,
    /// Telephone numbers.
    pub phone: Action,
    /// Resident registration numbers (주민등록번호).
    pub resident_number: Action,
    /// Registration numbers of foreigners (외국인등록번호).
    pub foreigner_number: Action,
    /// Payment cards.
    pub card: Action,
    /// Bank accounts, beside words that say so.
    pub account: Action,
    /// Business registration numbers (사업자등록번호).
    pub business_number: Action,
    /// Public IP addresses.
    pub ip: Action,
    /// Passport numbers, beside words that say so.
    pub passport: Action,
    /// Korean street and lot addresses.
    pub address: Action,
    /// Driving licences (운전면허), beside words that say so.
    pub driving_licence: Action,
    /// Health insurance certificates (건강보험증), beside words that say so.
    pub insurance_number: Action,
    /// Apply to these buckets alone. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_buckets: Vec<String>,
    /// Do not apply to these buckets. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_buckets: Vec<String>,
}

/// The classes, by their index in [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Email,
    Phone,
    ResidentNumber,
    ForeignerNumber,
    Card,
    Account,
    BusinessNumber,
    Ip,
    Passport,
    Address,
    DrivingLicence,
    InsuranceNumber,
}

/// In the order of [`Kind`].
#[rustfmt::skip]
const CLASSES: &[Class] = &[
    Class { option: "email", metric: "pii-email", rule: "pii/email", placeholder: "<EMAIL>" },
    Class { option: "phone", metric: "pii-phone", rule: "pii/phone", placeholder: "<PHONE>" },
    Class { option: "resident-number", metric: "pii-resident-number", rule: "pii/resident-number", placeholder: "<RESIDENT-NUMBER>" },
    Class { option: "foreigner-number", metric: "pii-foreigner-number", rule: "pii/foreigner-number", placeholder: "<FOREIGNER-NUMBER>" },
    Class { option: "card", metric: "pii-card", rule: "pii/card", placeholder: "<CARD>" },
    Class { option: "account", metric: "pii-account", rule: "pii/account", placeholder: "<ACCOUNT>" },
    Class { option: "business-number", metric: "pii-business-number", rule: "pii/business-number", placeholder: "<BUSINESS-NUMBER>" },
    Class { option: "ip", metric: "pii-ip", rule: "pii/ip", placeholder: "<IP>" },
    Class { option: "passport", metric: "pii-passport", rule: "pii/passport", placeholder: "<PASSPORT>" },
    // `<ADDRESS>` is an element of HTML, which `normalize` would strip.
    Class { option: "address", metric: "pii-address", rule: "pii/address", placeholder: "<STREET-ADDRESS>" },
    Class { option: "driving-licence", metric: "pii-driving-licence", rule: "pii/driving-licence", placeholder: "<DRIVING-LICENCE>" },
    Class { option: "insurance-number", metric: "pii-insurance-number", rule: "pii/insurance-number", placeholder: "<INSURANCE-NUMBER>" },
];

impl PiiConfig {
    /// In the order of [`Kind`].
    fn actions(&self) -> [Action; 12] {
        [
            self.email,
            self.phone,
            self.resident_number,
            self.foreigner_number,
            self.card,
            self.account,
            self.business_number,
            self.ip,
            self.passport,
            self.address,
            self.driving_licence,
            self.insurance_number,
        ]
    }
}

impl Options for PiiConfig {
    const NAME: &'static str = "pii";

    fn only_buckets(&self) -> &[String] {
        &self.only_buckets
    }

    fn except_buckets(&self) -> &[String] {
        &self.except_buckets
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.actions().iter().all(|action| *action == Action::Off) {
            return Err(SpecError::NothingToDo {
                filter: Self::NAME,
                key: CLASSES[0].option,
                keys: "the classes to `mask`, `drop` or `count`",
            });
        }
        Ok(())
    }

    fn build(&self) -> Box<dyn Filter> {
        Box::new(Masker::new(Self::NAME, CLASSES, &self.actions(), scan::find))
    }

    fn effect(&self) -> Effect {
        mask::effect(&self.actions())
    }
}
