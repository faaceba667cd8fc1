//! The frame of a chart: axes with round ticks, grid, labels.
//!
//! The marks are an SVG that is stretched to the width there is; the words beside it are HTML, so
//! they are as large on a phone as on a wide screen.

/// The marks are drawn in units of a thousandth of the frame.
pub(super) const UNIT: f64 = 1000.0;

/// Larger values are drawn as this one: differences of them stay finite.
const FAR: f64 = 1e300;

/// A linear axis.
pub(super) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

/// How an axis is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// From the least to the greatest value.
    Exact,
    /// Widened to the next tick on both sides.
    Round,
}

/// A chart: the frame and, in `marks`, SVG in units of [`UNIT`].
pub(super) struct Plot {
    /// What it shows, safe HTML.
    pub(super) title: String,
    /// The same for those who do not see it: safe text without tags.
    pub(super) spoken: String,
    /// What is measured by what, safe.
    pub(super) unit: String,
    /// A class that gives the height.
    pub(super) size: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) marks: String,
    /// Safe HTML below the frame.
    pub(super) legend: String,
}

impl Axis {
    /// An axis over all `values`, with ticks at round numbers; at whole ones if `whole`.
    pub(super) fn over(values: impl Iterator<Item = f64>, ends: Ends, whole: bool, write: &dyn Fn(f64) -> String) -> Self {
        let finite = values.filter(|value| value.is_finite()).map(|value| value.clamp(-FAR, FAR));
        let (mut low, mut high) = finite.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            // A single value stands in the middle.
            let room = if whole || low == 0.0 { 1.0_f64.max(low.abs() * 1e-9) } else { low.abs() * 0.1 };
            (low, high) = if low == 0.0 { (0.0, room) } else { (low - room, high + room) };
        }
        let step = step(high - low, whole);
        if ends == Ends::Round {
            (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        }
        let first = (low / step).ceil() * step;
        let all = (0..12).map(|index| first + f64::from(index) * step);
        let ticks = all.take_while(|tick| *tick <= high + step * 1e-6).map(|tick| (tick, write(tick))).collect();
        Self { low, high, ticks }
    }

    /// An axis of `count` slots of the same width, with ticks at some of their left edges.
    pub(super) fn slots(count: usize, ticks: Vec<(f64, String)>) -> Self {
        Self { low: 0.0, high: (count as f64).max(1.0), ticks }
    }

    /// Where a value lies, 0 to 1.
    pub(super) fn at(&self, value: f64) -> f64 {
        ((value.clamp(-FAR, FAR) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// A step of 1, 2 or 5 times a power of ten that cuts `range` into four to eight.
fn step(range: f64, whole: bool) -> f64 {
    let rough = (range / 5.0).max(f64::MIN_POSITIVE * 1e10);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= rough * 0.999).unwrap_or(10.0 * power);
    if whole { step.max(1.0) } else { step }
}

impl Plot {
    pub(super) fn html(&self) -> String {
        let mut grid = String::new();
        let mut words = String::new();
        for (value, label) in &self.y.ticks {
            let y = 1.0 - self.y.at(*value);
            grid.push_str(&format!("<path class=\"grid\" d=\"M0 {:.1}H{UNIT}\"/>", y * UNIT));
            words.push_str(&format!("<span class=\"ty\" style=\"top:{:.2}%\">{label}</span>", y * 100.0));
        }
        for (value, label) in &self.x.ticks {
            let x = self.x.at(*value);
            grid.push_str(&format!("<path class=\"tick\" d=\"M{:.1} {UNIT}v-12\"/>", x * UNIT));
            words.push_str(&format!("<span class=\"tx\" style=\"left:{:.2}%\">{label}</span>", x * 100.0));
        }
        format!(
            "<figure class=\"plot {}\"><figcaption><b>{}</b><span class=\"unit\">{}</span></figcaption>\
             <div class=\"frame\"><svg viewBox=\"0 0 {UNIT} {UNIT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
             {grid}<path class=\"axis\" d=\"M0 {UNIT}H{UNIT}\"/>{}</svg>{words}</div>\
             <p class=\"legend\">{}</p></figure>\n",
            self.size, self.title, self.unit, self.spoken, self.marks, self.legend
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64], ends: Ends, whole: bool) -> Vec<String> {
        let axis = Axis::over(values.iter().copied(), ends, whole, &|value| format!("{value}"));
        assert!(axis.low < axis.high && (axis.high - axis.low).is_finite(), "{} {}", axis.low, axis.high);
        axis.ticks.into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        assert_eq!(ticks(&[3.0, 47.0], Ends::Round, false), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(ticks(&[1.0, 300.0], Ends::Exact, true), ["100", "200", "300"]);
        assert_eq!(ticks(&[1.0, 3.0], Ends::Exact, true), ["1", "2", "3"]);
    }

    #[test]
    fn no_value_one_value_and_absurd_values() {
        assert_eq!(ticks(&[], Ends::Round, false).first().map(String::as_str), Some("0"));
        assert!(!ticks(&[7.0], Ends::Exact, true).is_empty());
        for value in [0.0, 1e-320, f64::MAX, f64::MIN, 1e16] {
            ticks(&[value], Ends::Round, false);
            ticks(&[value, -value, f64::NAN, f64::INFINITY], Ends::Exact, true);
        }
        let axis = Axis::over([2.0].into_iter(), Ends::Exact, true, &|value| value.to_string());
        assert_eq!(axis.at(2.0), 0.5);
        assert_eq!((axis.at(f64::MAX), axis.at(f64::MIN)), (1.0, 0.0));
    }
}
