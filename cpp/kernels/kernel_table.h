// SWAV_KERNEL(result, name, parameters...): one row a kernel, in the order of the pipeline. The contract stands above the row.

// -- objective.h --

// Largest of x[0..n). n >= 1.
SWAV_KERNEL(float, row_max, const float* x, int64_t n)

// y[i] = exp(scale * x[i] - shift) for i in [0, n); returns the sum of y, added up in lane order. y may be x. Arguments of exp below -87
// give 0; relative error of exp at most 2e-7.
SWAV_KERNEL(double, exp_scaled, const float* x, float scale, float shift, float* y, int64_t n)
