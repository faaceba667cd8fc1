//! Root mean square norm.

use burn::tensor::Tensor;

/// `x / sqrt(mean(x²) + epsilon) × weight` for each row (Zhang and Sennrich 2019). `weight` is `[1, H]`.
pub(crate) fn rms_norm(x_nh: Tensor<2>, weight_1h: Tensor<2>, epsilon: f64) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if super::gpu::takes(&x_nh) {
        return super::gpu::rms_norm(x_nh, weight_1h, epsilon);
    }
    super::cpu::rms_norm(&x_nh, &weight_1h, epsilon).unwrap_or_else(|| plain(x_nh, weight_1h, epsilon))
}

pub(super) fn plain(x_nh: Tensor<2>, weight_1h: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let mean_n1 = (x_nh.clone() * x_nh.clone()).mean_dim(1);
    let scale_n1 = mean_n1.add_scalar(epsilon).sqrt().recip();
    x_nh * scale_n1 * weight_1h
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn by_hand() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[3.0, 4.0], [0.0, 0.0]], &device);
        let y = rms_norm(x, Tensor::from_floats([[1.0, 10.0]], &device), 0.5);
        // The mean square of the first row is 12.5, and 12.5 + 0.5 = 13.
        let root = 13f32.sqrt();
        let values = y.try_into_vec_as::<f32>().unwrap();
        for (value, expected) in values.iter().zip([3.0 / root, 40.0 / root, 0.0, 0.0]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }
}
