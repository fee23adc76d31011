// SWAV_KERNEL(result, name, parameters...): one row a kernel, in the order of the pipeline. The contract stands above the row.

// -- objective.h --

// Largest of x[0..n). n >= 1.
SWAV_KERNEL(float, row_max, const float* x, int64_t n)

// m[i] = max(m[i], x[i]). Returns 0 if every x is finite, NaN otherwise.
SWAV_KERNEL(float, column_max, const float* x, float* m, int64_t n)

// d = x[i] - origin[i]: sums[i] += d, squares[i] += d * d.
SWAV_KERNEL(void, column_moments, const float* x, const float* origin, float* sums, float* squares, int64_t n)

// exp in the kernels below: relative error at most 2e-7 for arguments in [-87, 88], 0 under that; nothing is promised above.

// y[i] += exp((x[i] - shift[i]) * scale).
SWAV_KERNEL(void, exp_accumulate, const float* x, const float* shift, float scale, float* y, int64_t n)

// y[i] *= exp((x[i] - shift[i]) * scale).
SWAV_KERNEL(void, exp_multiply, const float* x, const float* shift, float scale, float* y, int64_t n)

// Largest of t[i] = (x[i] - high[i]) * scale - low[i]. n >= 1.
SWAV_KERNEL(float, potential_max, const float* x, const float* high, const float* low, float scale, int64_t n)

// y[i] = exp(t[i] - shift) with the t above; returns the sum of y. y may be x.
SWAV_KERNEL(double, potential_exp, const float* x, const float* high, const float* low, float scale, float shift, float* y, int64_t n)

// y[i] += x[i] * scale.
SWAV_KERNEL(void, add_scaled, const float* x, float scale, float* y, int64_t n)

// y[i] = x[i] * scale. y may be x.
SWAV_KERNEL(void, scale_row, const float* x, float scale, float* y, int64_t n)

// t[i] = max((x[i] - shift) * scale, -1e30), y[i] = exp(t[i]); sums = {sum of y, sum of q t, sum of q}. y may be x.
SWAV_KERNEL(void, softmax_cross, const float* x, const float* q, float shift, float scale, float* y, double* sums, int64_t n)

// z[i] = a x[i] + b y[i]. z may be x or y.
SWAV_KERNEL(void, combine_rows, const float* x, float a, const float* y, float b, float* z, int64_t n)

// -sum of q ln q over a row, 0 ln 0 = 0. q >= 0.
SWAV_KERNEL(double, row_entropy, const float* q, int64_t n)

// -- update.h --

// Sum of x[i]^2 in double; finite exactly when every x is.
SWAV_KERNEL(double, sum_squares, const float* x, int64_t n)

// g = scale * (gradient + decay * value); momentum = factor * momentum + g; value -= rate * momentum.
SWAV_KERNEL(void, momentum_step, float* value, const float* gradient, float* momentum, float rate, float factor, float scale, float decay,
            int64_t n)

// Moments m = beta1 m + rest1 g, v = beta2 v + rest2 g^2; value = keep * value - rate * m / (sqrt(v) * root + epsilon).
// factors = {keep, rate, beta1, rest1, beta2, rest2, root, epsilon}; rest = 1 - beta, rounded once: 1.0f - 0.999f is 5e-5 off.
SWAV_KERNEL(void, adam_step, float* value, const float* gradient, float* m, float* v, const float* factors, int64_t n)
