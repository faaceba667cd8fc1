//! Where the time went.

use super::bar::single;
use super::number::{bytes, percent};
use super::table::{Column, Table};
use super::text;
use super::view::{Section, View};

pub(super) fn section(view: &View<'_>) -> Section {
    let l = view.l;
    let timings = &view.data.timings;
    let body = (!timings.is_empty()).then(|| {
        let columns = [
            Column::Head(l.col_stage),
            Column::Bar(""),
            Column::Number(l.time),
            Column::Number(l.col_share),
            Column::Number(l.col_text),
            Column::Number(l.col_rate),
        ];
        let finite = |seconds: f64| if seconds.is_finite() && seconds > 0.0 { seconds } else { 0.0 };
        let all: f64 = timings.iter().map(|timing| finite(timing.seconds)).sum();
        let most = timings.iter().map(|timing| finite(timing.seconds)).fold(0.0, f64::max);
        let mut table = Table::new(&columns);
        for timing in timings {
            let seconds = finite(timing.seconds);
            let share = percent((seconds * 1e6) as u64, (all * 1e6) as u64);
            let rate = timing.bytes.filter(|_| seconds > 0.0).map(|read| format!("{}/s", bytes((read as f64 / seconds) as u64)));
            table.row(
                "",
                &[
                    text::name(&timing.stage),
                    single("plain", seconds, most, &view.duration(seconds)),
                    view.duration(timing.seconds),
                    share,
                    timing.bytes.map(bytes).unwrap_or_default(),
                    rate.unwrap_or_default(),
                ],
            );
        }
        let row = [l.total.to_owned(), String::new(), view.duration(all), String::new(), String::new(), String::new()];
        table.row("total", &row);
        table.html()
    });
    Section { id: "timings", title: l.timings, body }
}
