// A CUDA driver and cuBLAS that are none: enough of both to run a candle program built with the feature `cuda` where there is no GPU.
//
//   FAKE_CUDA=exec   computes: device memory is host memory, candle's f32, u8 and i64 kernels and f32 products are loops
//   FAKE_CUDA=trace  computes nothing, reads back zeros; any size fits
//   without it there is no device
//   FAKE_CUDA_LOG=F  writes every launch, product, copy and allocation to F, a line each
//   FAKE_CUDA_DEVICES=N  how many devices there are; 1 without it. A process can use one
//   FAKE_CUDA_MEMORY=BYTES  how much memory the device has; 80 GiB without it
//   FAKE_CUDA_KERNELS=LIB.so  more kernels: LIB has `bool emulated_kernel(name, grid, block, shared, arguments)` (see cuda_on_cpu.h)
//
// Built twice by toolkit.sh, as the driver and as cuBLAS. Kernels that it does not know are an error in exec.
#ifdef FAKE_CUBLAS
extern "C" {
int fake_gemm(int, int, long, long, long, const void *, const void *, int, long, long, const void *, long, long, const void *, void *, int, long,
              long, long, int);
int cublasCreate_v2(void **h) {
    *h = (void *)0x50;
    return 0;
}
int cublasDestroy_v2(void *) { return 0; }
int cublasSetStream_v2(void *, void *) { return 0; }
int cublasGemmStridedBatchedEx(void *, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int at, int lda, long long sa,
                               const void *b, int, int ldb, long long sb, const void *beta, void *c, int ct, int ldc, long long sc, int batch,
                               int compute, int) {
    return fake_gemm(ta, tb, m, n, k, alpha, a, at, lda, sa, b, ldb, sb, beta, c, ct, ldc, sc, batch, compute);
}
}
#else
#include <cmath>
#include <dlfcn.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <algorithm>
#include <mutex>
#include <vector>
typedef uint64_t u64;
typedef void *P;
typedef u64 D;

static bool exec_mode() {
    static bool e = [] {
        const char *m = getenv("FAKE_CUDA");
        return m && !strcmp(m, "exec");
    }();
    return e;
}
static FILE *log_file() {
    static FILE *f = [] {
        const char *p = getenv("FAKE_CUDA_LOG");
        FILE *f = p ? fopen(p, "w") : nullptr;
        if (f) setvbuf(f, nullptr, _IOFBF, 1 << 20);
        return f;
    }();
    return f;
}
#define LOG(...)                                                                                                                                     \
    do {                                                                                                                                             \
        if (FILE *f = log_file()) fprintf(f, __VA_ARGS__);                                                                                           \
    } while (0)

// One thing at a time: a program may have many threads.
static std::recursive_mutex &gate() {
    static std::recursive_mutex m;
    return m;
}
#define ONE_AT_A_TIME std::lock_guard<std::recursive_mutex> guard(gate())

static std::unordered_map<D, size_t> sizes;
static size_t in_use, peak;
static D next_address = 0x700000000000ull;
static D allocate(size_t n) {
    ONE_AT_A_TIME;
    D p;
    if (exec_mode())
        p = (D)malloc(n ? n : 1);
    else {
        p = next_address;
        next_address += (n + 255) / 256 * 256 + 256;
    }
    if (exec_mode() && n) memset((P)p, 0x7f, n); // poison: 3.4e38 in f32
    sizes[p] = n;
    in_use += n;
    if (in_use > peak) peak = in_use;
    LOG("A %zu %zu\n", n, in_use);
    return p;
}
static void release(D p) {
    ONE_AT_A_TIME;
    auto i = sizes.find(p);
    if (i == sizes.end()) return;
    in_use -= i->second;
    if (exec_mode()) free((P)p);
    sizes.erase(i);
}

struct Fn {
    std::string name;
};
static std::unordered_map<std::string, Fn *> functions;

// ---- candle's kernels -------------------------------------------------------------------------------------------------
static size_t strided(size_t i, size_t nd, const size_t *dims, const size_t *strides) {
    size_t r = 0;
    for (size_t d = nd; d-- > 0;) {
        r += i % dims[d] * strides[d];
        i /= dims[d];
    }
    return r;
}
static bool contiguous(size_t nd, const size_t *dims, const size_t *strides) {
    size_t n = 1;
    for (size_t d = nd; d-- > 0;) {
        if (dims[d] > 1 && strides[d] != n) return false;
        n *= dims[d];
    }
    return true;
}
struct Args {
    void **p;
    template <class T> T get(int i) const { return *(T *)p[i]; }
};
template <class T, class F> static void unary(const Args &a, int in, int out, F f) {
    size_t n = a.get<size_t>(0), nd = a.get<size_t>(1);
    auto info = a.get<const size_t *>(2);
    auto x = a.get<const T *>(in);
    auto y = a.get<T *>(out);
    for (size_t i = 0; i < n; i++) y[i] = f(x[info ? strided(i, nd, info, info + nd) : i]);
}
template <class T, class O, class F> static void binary(const Args &a, F f) {
    size_t n = a.get<size_t>(0), nd = a.get<size_t>(1);
    auto info = a.get<const size_t *>(2);
    auto x = a.get<const T *>(3), y = a.get<const T *>(4);
    auto o = a.get<O *>(5);
    for (size_t i = 0; i < n; i++) o[i] = info ? f(x[strided(i, nd, info, info + nd)], y[strided(i, nd, info, info + 2 * nd)]) : f(x[i], y[i]);
}
template <class T> static bool of_type(const std::string &op, const Args &a) {
    if (op == "affine") {
        T m = a.get<T>(5), b = a.get<T>(6);
        unary<T>(a, 3, 4, [=](T x) { return (T)(x * m + b); });
        return true;
    }
    if (op[0] == 'u' && op != "u") {
        std::string u = op.substr(1);
        auto go = [&](auto f) {
            unary<T>(a, 3, 4, f);
            return true;
        };
        if (u == "copy") return go([](T x) { return x; });
        if (u == "neg") return go([](T x) { return (T)-x; });
        if (u == "recip") return go([](T x) { return (T)(1 / x); });
        if (u == "exp") return go([](T x) { return (T)std::exp((double)x); });
        if (u == "log") return go([](T x) { return (T)std::log((double)x); });
        if (u == "tanh") return go([](T x) { return (T)std::tanh((double)x); });
        if (u == "sqr") return go([](T x) { return (T)(x * x); });
        if (u == "sqrt") return go([](T x) { return (T)std::sqrt((double)x); });
        if (u == "abs") return go([](T x) { return (T)std::abs((double)x); });
        if (u == "sin") return go([](T x) { return (T)std::sin((double)x); });
        if (u == "cos") return go([](T x) { return (T)std::cos((double)x); });
        if (u == "relu") return go([](T x) { return x > 0 ? x : (T)0; });
        if (u == "sigmoid") return go([](T x) { return (T)(1 / (1 + std::exp(-(double)x))); });
        if (u == "erf") return go([](T x) { return (T)std::erf((double)x); });
        if (u == "powf") {
            T e = a.get<T>(3);
            unary<T>(a, 4, 5, [=](T x) { return (T)std::pow((double)x, (double)e); });
            return true;
        }
        if (u == "elu") {
            T e = a.get<T>(3);
            unary<T>(a, 4, 5, [=](T x) { return x > 0 ? x : (T)(e * (std::exp((double)x) - 1)); });
            return true;
        }
        return false;
    }
    auto out = [&](auto f) {
        binary<T, T>(a, f);
        return true;
    };
    if (op == "badd") return out([](T x, T y) { return (T)(x + y); });
    if (op == "bsub") return out([](T x, T y) { return (T)(x - y); });
    if (op == "bmul") return out([](T x, T y) { return (T)(x * y); });
    if (op == "bdiv") return out([](T x, T y) { return (T)(x / y); });
    if (op == "bmaximum") return out([](T x, T y) { return x > y ? x : y; });
    if (op == "bminimum") return out([](T x, T y) { return x < y ? x : y; });
    auto is = [&](auto f) {
        binary<T, uint8_t>(a, f);
        return true;
    };
    if (op == "eq") return is([](T x, T y) { return x == y; });
    if (op == "ne") return is([](T x, T y) { return x != y; });
    if (op == "lt") return is([](T x, T y) { return x < y; });
    if (op == "le") return is([](T x, T y) { return x <= y; });
    if (op == "gt") return is([](T x, T y) { return x > y; });
    if (op == "ge") return is([](T x, T y) { return x >= y; });
    if (op == "const_set") {
        size_t n = a.get<size_t>(0), nd = a.get<size_t>(1);
        auto info = a.get<const size_t *>(2);
        T v = a.get<T>(3);
        auto o = a.get<T *>(4);
        for (size_t i = 0; i < n; i++) o[info ? strided(i, nd, info, info + nd) : i] = v;
        return true;
    }
    if (op == "copy2d") {
        auto s = a.get<const T *>(0);
        auto d = a.get<T *>(1);
        uint32_t d1 = a.get<uint32_t>(2), d2 = a.get<uint32_t>(3), ss = a.get<uint32_t>(4), ds = a.get<uint32_t>(5);
        for (size_t i = 0; i < d1; i++) memcpy(d + i * ds, s + i * ss, d2 * sizeof(T));
        return true;
    }
    if (op.rfind("fast_", 0) == 0) {
        bool small = op == "fast_sum_small";
        size_t n = a.get<size_t>(0), per = a.get<size_t>(1), nd = a.get<size_t>(2);
        auto info = a.get<const size_t *>(3);
        auto x = a.get<const T *>(4);
        size_t rows = small ? n : (per ? n / per : 0);
        for (size_t r = 0; r < rows; r++) {
            double sum = 0;
            T best = 0;
            uint32_t at = 0;
            for (size_t i = 0; i < per; i++) {
                T v = x[strided(r * per + i, nd, info, info + nd)];
                sum += v;
                bool better = op.find("min") != std::string::npos ? v < best : v > best;
                if (i == 0 || better) {
                    best = v;
                    at = i;
                }
            }
            if (op.find("arg") != std::string::npos)
                a.get<uint32_t *>(5)[r] = at;
            else
                a.get<T *>(5)[r] = op.find("sum") != std::string::npos ? (T)sum : best;
        }
        return true;
    }
    return false;
}
template <class T, class I> static bool indexed(const std::string &op, const Args &a) {
    if (op == "gather") {
        size_t n = a.get<size_t>(0), src = a.get<size_t>(5), m = a.get<size_t>(6), right = a.get<size_t>(7);
        auto ids = a.get<const I *>(1);
        auto x = a.get<const T *>(2);
        auto o = a.get<T *>(3);
        for (size_t i = 0; i < n; i++) {
            if ((size_t)ids[i] >= src) {
                fprintf(stderr, "gather: index out of range\n");
                abort();
            }
            o[i] = x[(i / (right * m) * src + ids[i]) * right + i % right];
        }
        return true;
    }
    if (op == "sa" || op == "s") {
        auto ids = a.get<const I *>(0);
        auto x = a.get<const T *>(1);
        auto o = a.get<T *>(2);
        size_t left = a.get<size_t>(3), m = a.get<size_t>(4), dst = a.get<size_t>(5), right = a.get<size_t>(6);
        for (size_t i = 0; i < left * right; i++)
            for (size_t j = 0; j < m; j++) {
                size_t s = (i / right * m + j) * right + i % right, d = (i / right * dst + ids[s]) * right + i % right;
                if (op == "sa")
                    o[d] += x[s];
                else
                    o[d] = x[s];
            }
        return true;
    }
    if (op == "ia") {
        auto ids = a.get<const I *>(0);
        size_t m = a.get<size_t>(1);
        auto x = a.get<const T *>(2);
        auto o = a.get<T *>(3);
        size_t left = a.get<size_t>(4), dst = a.get<size_t>(6), right = a.get<size_t>(7);
        for (size_t i = 0; i < left * right; i++)
            for (size_t j = 0; j < m; j++) o[(i / right * dst + ids[j]) * right + i % right] += x[(i / right * m + j) * right + i % right];
        return true;
    }
    if (op == "is") {
        size_t n = a.get<size_t>(0), nd = a.get<size_t>(1);
        auto info = a.get<const size_t *>(2);
        auto ids = a.get<const I *>(3);
        auto x = a.get<const T *>(4);
        auto o = a.get<T *>(5);
        size_t src = a.get<size_t>(7), m = a.get<size_t>(8), right = a.get<size_t>(9);
        for (size_t i = 0; i < n; i++) {
            size_t s = i / (m * right) * (src * right) + ids[i / right % m] * right + i % right;
            o[i] = x[contiguous(nd, info, info + nd) ? s : strided(s, nd, info, info + nd)];
        } // the layout of ids, as candle has it
        return true;
    }
    if (op == "where") {
        size_t n = a.get<size_t>(0), nd = a.get<size_t>(1);
        auto info = a.get<const size_t *>(2);
        auto c = a.get<const I *>(3);
        auto t = a.get<const T *>(4), f = a.get<const T *>(5);
        auto o = a.get<T *>(6);
        for (size_t i = 0; i < n; i++)
            o[i] = c[strided(i, nd, info, info + nd)] ? t[strided(i, nd, info, info + 2 * nd)] : f[strided(i, nd, info, info + 3 * nd)];
        return true;
    }
    return false;
}
template <class S, class T> static bool cast(const Args &a) {
    size_t n = a.get<size_t>(0), nd = a.get<size_t>(1);
    auto info = a.get<const size_t *>(2);
    auto x = a.get<const S *>(3);
    auto o = a.get<T *>(4);
    for (size_t i = 0; i < n; i++) o[i] = (T)x[info ? strided(i, nd, info, info + nd) : i];
    return true;
}
template <class S> static bool cast_from(const std::string &to, const Args &a) {
    return to == "f32"   ? cast<S, float>(a)
           : to == "f64" ? cast<S, double>(a)
           : to == "u8"  ? cast<S, uint8_t>(a)
           : to == "u32" ? cast<S, uint32_t>(a)
           : to == "i64" ? cast<S, int64_t>(a)
                         : false;
}
template <class T> static bool indexed_by(const std::string &op, const std::string &i, const Args &a) {
    return i == "u32" ? indexed<T, uint32_t>(op, a) : i == "u8" ? indexed<T, uint8_t>(op, a) : i == "i64" ? indexed<T, int64_t>(op, a) : false;
}
static bool run(const std::string &name, const Args &a) {
    size_t at = name.rfind('_');
    std::string type = name.substr(at + 1), op = name.substr(0, at);
    if (op.rfind("cast_", 0) == 0) {
        std::string from = op.substr(5);
        return from == "f32"   ? cast_from<float>(type, a)
               : from == "f64" ? cast_from<double>(type, a)
               : from == "u8"  ? cast_from<uint8_t>(type, a)
               : from == "u32" ? cast_from<uint32_t>(type, a)
               : from == "i64" ? cast_from<int64_t>(type, a)
                               : false;
    }
    size_t mid = op.rfind('_');
    std::string i = mid == std::string::npos ? "" : op.substr(mid + 1), base = mid == std::string::npos ? op : op.substr(0, mid);
    for (const char *k : {"gather", "sa", "s", "ia", "is", "where"})
        if (base == k)
            return type == "f32"   ? indexed_by<float>(base, i, a)
                   : type == "f64" ? indexed_by<double>(base, i, a)
                   : type == "u32" ? indexed_by<uint32_t>(base, i, a)
                   : type == "i64" ? indexed_by<int64_t>(base, i, a)
                   : type == "u8"  ? indexed_by<uint8_t>(base, i, a)
                                   : false;
    return type == "f32"   ? of_type<float>(op, a)
           : type == "f64" ? of_type<double>(op, a)
           : type == "u8"  ? of_type<uint8_t>(op, a)
           : type == "u32" ? of_type<uint32_t>(op, a)
           : type == "i64" ? of_type<int64_t>(op, a)
                           : false;
}

typedef bool (*Emulated)(const char *, const unsigned *, const unsigned *, size_t, void **);
static P kernels() {
    static P lib = [] {
        const char *path = getenv("FAKE_CUDA_KERNELS");
        P lib = path ? dlopen(path, RTLD_NOW) : nullptr;
        if (path && !lib) fprintf(stderr, "%s\n", dlerror());
        return lib;
    }();
    return lib;
}
// The bytes that one of the program's own kernels reads and writes, which follow its arguments; 0 for one of candle's.
static u64 traffic(const std::string &name, void **p) {
    typedef unsigned (*Parameters)(const char *);
    static Parameters f = kernels() ? (Parameters)dlsym(kernels(), "emulated_parameters") : nullptr;
    unsigned n = f ? f(name.c_str()) : 0;
    return n ? *(u64 *)p[n] : 0;
}
static bool emulated(const std::string &name, const unsigned *grid, const unsigned *block, size_t shared, void **p) {
    static Emulated f = kernels() ? (Emulated)dlsym(kernels(), "emulated_kernel") : nullptr;
    return f && f(name.c_str(), grid, block, shared, p);
}

// Numbers of cuBLAS's types.
enum { F32 = 0, BF16 = 14 };
struct Numbers {
    void *base;
    int type;
    long from;
    float at(long i) const {
        if (type == F32) return ((const float *)base)[from + i];
        uint32_t u = (uint32_t)((const uint16_t *)base)[from + i] << 16;
        float f;
        memcpy(&f, &u, 4);
        return f;
    }
    void set(long i, float f) const {
        if (type == F32) {
            ((float *)base)[from + i] = f;
            return;
        }
        uint32_t u;
        memcpy(&u, &f, 4);
        ((uint16_t *)base)[from + i] = f != f ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16;
    }
};

extern "C" {
int fake_gemm(int ta, int tb, long m, long n, long k, const void *alpha, const void *A, int type, long lda, long sa, const void *B, long ldb, long sb,
              const void *beta, void *C, int to, long ldc, long sc, long batch, int compute) {
    ONE_AT_A_TIME;
    LOG("G %ld %ld %ld %ld %d %d %d%d\n", m, n, k, batch, type, compute, ta, tb);
    if (!exec_mode()) return 0;
    if ((type != F32 && type != BF16) || (to != F32 && to != BF16)) {
        fprintf(stderr, "fake cuBLAS: only f32 and bf16\n");
        return 15;
    }
    float al = *(const float *)alpha, be = *(const float *)beta;
    std::vector<double> col(m);
    for (long b = 0; b < batch; b++) {
        Numbers x{(void *)A, type, b * sa}, y{(void *)B, type, b * sb}, z{C, to, b * sc};
        for (long j = 0; j < n; j++) {
            std::fill(col.begin(), col.end(), 0.0);
            for (long l = 0; l < k; l++) {
                float w = y.at(tb ? l * ldb + j : j * ldb + l);
                if (ta)
                    for (long i = 0; i < m; i++) col[i] += (double)x.at(i * lda + l) * w;
                else
                    for (long i = 0; i < m; i++) col[i] += (double)x.at(l * lda + i) * w;
            }
            for (long i = 0; i < m; i++) z.set(j * ldc + i, (float)(al * col[i]) + (be != 0 ? be * z.at(j * ldc + i) : 0));
        }
    }
    return 0;
}
int cuInit(unsigned) { return getenv("FAKE_CUDA") ? 0 : 100; } // CUDA_ERROR_NO_DEVICE
int cuDriverGetVersion(int *v) {
    *v = 13000;
    return 0;
}
int cuDeviceGetCount(int *n) {
    const char *devices = getenv("FAKE_CUDA_DEVICES");
    *n = devices ? atoi(devices) : 1;
    return 0;
}
int cuDeviceGet(int *d, int i) {
    *d = i;
    return 0;
}
int cuDeviceGetName(char *s, int n, int) {
    snprintf(s, n, "none");
    return 0;
}
int cuDeviceTotalMem_v2(size_t *n, int) {
    *n = 80ull << 30;
    return 0;
}
int cuDeviceGetAttribute(int *v, int a, int) {
    *v = a == 115 ? 1 : a == 75 ? 9 : a == 76 ? 0 : a == 16 ? 132 : 1;
    return 0;
}
int cuDevicePrimaryCtxRetain(P *c, int) {
    *c = (P)0x10;
    return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    if (FILE *f = log_file()) {
        fprintf(f, "X peak %zu\n", peak);
        fflush(f);
    }
    return 0;
}
static thread_local P current;
int cuCtxGetCurrent(P *c) {
    *c = current;
    return 0;
}
int cuCtxSetCurrent(P c) {
    current = c;
    return 0;
}
int cuCtxSynchronize() {
    LOG("S\n");
    return 0;
}
int cuStreamSynchronize(P) {
    LOG("S\n");
    return 0;
}
int cuStreamCreate(P *s, unsigned) {
    *s = (P)0x20;
    return 0;
}
int cuStreamDestroy_v2(P) { return 0; }
int cuStreamWaitEvent(P, P, unsigned) { return 0; }
int cuStreamIsCapturing(P, int *s) {
    *s = 0;
    return 0;
}
int cuEventCreate(P *e, unsigned) {
    *e = (P)0x30;
    LOG("E\n");
    return 0;
}
int cuEventDestroy_v2(P) { return 0; }
int cuEventRecord(P, P) { return 0; }
int cuEventSynchronize(P) { return 0; }
static size_t memory() {
    static const char *m = getenv("FAKE_CUDA_MEMORY");
    return m ? strtoull(m, nullptr, 10) : 80ull << 30;
}
int cuMemAlloc_v2(D *p, size_t n) {
    ONE_AT_A_TIME;
    if (in_use + n > memory()) return 2;
    *p = allocate(n);
    return 0;
}
int cuMemAllocAsync(D *p, size_t n, P) { return n ? cuMemAlloc_v2(p, n) : 1; }
int cuMemFreeAsync(D p, P) {
    release(p);
    return 0;
}
int cuMemFree_v2(D p) {
    release(p);
    return 0;
}
int cuMemGetInfo_v2(size_t *f, size_t *t) {
    *t = memory();
    *f = *t - in_use;
    return 0;
}
int cuMemcpyHtoDAsync_v2(D d, const void *s, size_t n, P) {
    LOG("H %zu\n", n);
    if (exec_mode()) memcpy((P)d, s, n);
    return 0;
}
int cuMemcpyDtoHAsync_v2(void *d, D s, size_t n, P) {
    LOG("D %zu\n", n);
    if (exec_mode())
        memcpy(d, (P)s, n);
    else
        memset(d, 0, n);
    return 0;
}
int cuMemcpyDtoDAsync_v2(D d, D s, size_t n, P) {
    LOG("C %zu\n", n);
    if (exec_mode()) memmove((P)d, (P)s, n);
    return 0;
}
int cuMemsetD8Async(D d, unsigned char v, size_t n, P) {
    LOG("M %zu\n", n);
    if (exec_mode()) memset((P)d, v, n);
    return 0;
}
int cuModuleLoadData(P *m, const void *) {
    *m = (P)0x40;
    LOG("J\n");
    return 0;
}
int cuModuleUnload(P) { return 0; }
int cuModuleGetFunction(P *f, P, const char *name) {
    ONE_AT_A_TIME;
    Fn *&fn = functions[name];
    if (!fn) fn = new Fn{name};
    *f = fn;
    return 0;
}
int cuLaunchKernel(P f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, P, void **p, void **) {
    ONE_AT_A_TIME;
    const std::string &name = ((Fn *)f)->name;
    size_t n = (size_t)gx * gy * gz * bx * by * bz, strided = 0;
    u64 own = log_file() ? traffic(name, p) : 0;
    if (own)
        LOG("K %s %zu\n", name.c_str(), (size_t)own);
    else if (log_file()) {
        bool first = name[0] != 's' && name.rfind("ia_", 0) && name.rfind("copy2d", 0) && name.rfind("fill", 0);
        if (first) n = *(size_t *)p[0];
        if (!name.rfind("copy2d", 0)) n = (size_t)*(unsigned *)p[2] * *(unsigned *)p[3];
        if (!name.rfind("fast_", 0))
            strided = *(size_t *)p[1];
        else if (name[0] == 'b' || name[0] == 'u' || !name.rfind("affine", 0) || !name.rfind("ge_", 0))
            strided = *(P *)p[2] != nullptr;
        LOG("L %s %zu %zu %u %u\n", name.c_str(), n, strided, gx * gy * gz, bx * by * bz);
    }
    unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    if (exec_mode() && !emulated(name, grid, block, shared, p) && !run(name, Args{p})) {
        fprintf(stderr, "fake CUDA: no kernel %s\n", name.c_str());
        return 801;
    }
    return 0;
}
int cuGetErrorName(int e, const char **s) {
    *s = e == 100 ? "CUDA_ERROR_NO_DEVICE" : e == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "FAKE";
    return 0;
}
int cuGetErrorString(int e, const char **s) {
    *s = e == 100 ? "no CUDA-capable device is detected" : e == 2 ? "out of memory" : "a fake driver does not do this";
    return 0;
}
}
#endif
