//! Line charts: any number of points thinned to what can be seen, gaps where a value was not finite.

use super::plot::{Axis, Ends, Plot, UNIT};
use super::text;
use super::view::{View, swatch};

/// Columns a line is thinned to; each keeps its least and its greatest value.
const COLUMNS: usize = 240;
/// Points that answer the mouse, for each line.
const HOVER: usize = 100;
/// A line of at most so many points shows them as dots.
const DOTS: usize = 40;

/// One line. Its points are ordered by x; `None` is a value that was not finite.
pub(super) struct Series {
    /// Name in legend and tooltip, not escaped yet; empty for a line without a legend.
    pub(super) name: String,
    /// Classes of colour and weight.
    pub(super) class: String,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// What a chart says beside its lines; all safe already.
pub(super) struct Words<'a> {
    pub(super) title: &'a str,
    /// What is measured by what.
    pub(super) unit: &'a str,
    /// Whether the y axis begins at zero.
    pub(super) from_zero: bool,
    pub(super) size: &'static str,
    /// How legend and tooltips write a value.
    pub(super) write: fn(f64) -> String,
}

/// A chart of lines over whole numbers.
pub(super) fn lines(view: &View<'_>, words: &Words<'_>, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| &series.points);
    let values = points().filter_map(|point| point.1).chain(words.from_zero.then_some(0.0));
    let x = Axis::over(points().map(|point| point.0), Ends::Exact, true, &|value| view.short(value));
    let y = Axis::over(values, Ends::Round, false, &|value| view.short(value));
    let mut marks = String::new();
    let mut legend = String::new();
    for series in series {
        marks.push_str(&draw(series, &x, &y, view.l.not_finite, words.write));
        // A line that is named like its chart needs no key.
        if !series.name.is_empty() && series.name != words.title {
            let last = series.points.iter().rev().find_map(|point| point.1).map(words.write).unwrap_or_default();
            legend.push_str(&format!(
                "<span class=\"{}\">{}{} <b>{last}</b></span>",
                series.class,
                swatch("line"),
                text::name(&series.name)
            ));
        }
    }
    Plot {
        title: words.title.to_owned(),
        spoken: words.title.to_owned(),
        unit: words.unit.to_owned(),
        size: words.size,
        x,
        y,
        marks,
        legend,
    }
    .html()
}

fn draw(series: &Series, x: &Axis, y: &Axis, not_finite: &str, write: fn(f64) -> String) -> String {
    let place = |(at, value): (f64, f64)| (x.at(at) * UNIT, (1.0 - y.at(value)) * UNIT);
    let points = thin(&series.points);
    let mut path = String::new();
    let mut gaps = String::new();
    let mut drawing = false;
    for (at, value) in &points {
        match value {
            Some(value) => {
                let (px, py) = place((*at, *value));
                path.push_str(&format!("{}{px:.1} {py:.1}", if drawing { "L" } else { "M" }));
                drawing = true;
            }
            None => {
                let px = x.at(*at) * UNIT;
                gaps.push_str(&format!(
                    "<path class=\"gap\" d=\"M{px:.1} 0V{UNIT}\"><title>{} {at}: {not_finite}</title></path>",
                    x_name(series)
                ));
                drawing = false;
            }
        }
    }
    let class = &series.class;
    let finite: Vec<(f64, f64)> = points.iter().filter_map(|point| Some((point.0, point.1?))).collect();
    let mut out = format!("<path class=\"line {class}\" d=\"{path}\"/>{gaps}");
    if finite.len() <= DOTS && !series.name.is_empty() {
        let dots: String = finite.iter().map(|point| place(*point)).map(|(px, py)| format!("M{px:.1} {py:.1}h0")).collect();
        out.push_str(&format!("<path class=\"dots {class}\" d=\"{dots}\"/>"));
    }
    if !series.name.is_empty() {
        for point in finite.iter().step_by(finite.len().div_ceil(HOVER).max(1)) {
            let (px, py) = place(*point);
            let value = write(point.1);
            out.push_str(&format!(
                "<path class=\"hit\" d=\"M{px:.1} {py:.1}h0\"><title>{} {}: {value}</title></path>",
                x_name(series),
                point.0
            ));
        }
    }
    out
}

fn x_name(series: &Series) -> String {
    text::plain(&series.name, 60)
}

/// At most two points for each of [`COLUMNS`] columns, and a gap where a column has one.
fn thin(points: &[(f64, Option<f64>)]) -> Vec<(f64, Option<f64>)> {
    if points.len() <= 2 * COLUMNS {
        return points.to_vec();
    }
    let mut out = Vec::with_capacity(3 * COLUMNS);
    for column in points.chunks(points.len().div_ceil(COLUMNS)) {
        let value = |index: &usize| column[*index].1.unwrap_or(f64::NAN);
        let indices = || (0..column.len()).filter(|index| column[*index].1.is_some());
        let least = indices().min_by(|a, b| value(a).total_cmp(&value(b)));
        let greatest = indices().max_by(|a, b| value(a).total_cmp(&value(b)));
        let gap = column.iter().position(|point| point.1.is_none());
        let mut kept: Vec<usize> = [least, greatest, gap].into_iter().flatten().collect();
        kept.sort_unstable();
        kept.dedup();
        out.extend(kept.into_iter().map(|index| column[index]));
    }
    out
}

/// A running mean over about a fortieth of the points, around each; `None` for lines too short to need one.
pub(super) fn smooth(points: &[(f64, Option<f64>)]) -> Option<Vec<(f64, Option<f64>)>> {
    let reach = points.len() / 80;
    let finite: Vec<(f64, f64)> = points.iter().filter_map(|point| Some((point.0, point.1?))).collect();
    if reach == 0 || finite.is_empty() {
        return None;
    }
    let mean = |index: usize| {
        // The steep beginning is followed; the flat end is a mean of the last points.
        let reach = reach.min(index);
        let around = &finite[index.saturating_sub(reach)..(index + reach + 1).min(finite.len())];
        around.iter().map(|point| point.1 / around.len() as f64).sum()
    };
    Some((0..finite.len()).map(|index| (finite[index].0, Some(mean(index)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_extremes_order_and_gaps() {
        let mut points: Vec<(f64, Option<f64>)> = (0..100_000).map(|step| (f64::from(step), Some(1.0))).collect();
        points[51_234].1 = Some(99.0);
        points[70_000].1 = None;
        let thinned = thin(&points);
        assert!(thinned.len() <= 3 * COLUMNS);
        assert!(thinned.contains(&(51_234.0, Some(99.0))) && thinned.contains(&(70_000.0, None)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn smoothing_follows_the_line_and_skips_gaps() {
        let points: Vec<_> = (0..120).map(|step| (f64::from(step), if step == 5 { None } else { Some(4.0) })).collect();
        let smoothed = smooth(&points).unwrap_or_default();
        assert_eq!(smoothed.len(), 119);
        assert!(smoothed.iter().all(|point| point.1.is_some_and(|value| (value - 4.0).abs() < 1e-9)));
        assert!(smooth(&points[..79]).is_none());
        // Of a straight line every mean but the last few is the line itself.
        let line: Vec<_> = (0..400).map(|step| (f64::from(step), Some(f64::from(step)))).collect();
        let smoothed = smooth(&line).unwrap_or_default();
        assert!(smoothed[..395].iter().all(|(at, value)| value.is_some_and(|value| (value - at).abs() < 1e-9)));
        assert_eq!(smoothed[399].1, Some(396.5));
    }
}
