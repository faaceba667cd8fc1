//! The 256 numbers of bitsandbytes' dynamic data type: a sign, a decimal exponent in unary, and what
//! bits are left for a linear fraction (Dettmers 2015).

/// `create_dynamic_map(signed=True, max_exponent_bits=7, total_bits=8)` bit by bit, in rising order.
pub(super) fn dynamic_map() -> Vec<f32> {
    let mut map = vec![0.0, 1.0];
    for exponent in 0..7 {
        let parts = 1 << exponent;
        let scale = 10f64.powi(exponent - 6) as f32;
        for part in 0..parts {
            let value = scale * ((point(part, parts) + point(part + 1, parts)) / 2.0);
            map.extend([value, -value]);
        }
    }
    map.sort_unstable_by(f32::total_cmp);
    map
}

/// `torch.linspace(0.1, 1, parts + 1)[at]`: from the nearer end, with one rounding.
fn point(at: i32, parts: i32) -> f32 {
    let step = (1.0 - 0.1f32) / parts as f32;
    match at < (parts + 1) / 2 {
        true => step.mul_add(at as f32, 0.1),
        false => (-step).mul_add((parts - at) as f32, 1.0),
    }
}
