#define Eigen EigenAvx512
#define TUNER_DENSE_TABLE kDenseAvx512
#define TUNER_DENSE_NAME "avx512"
#include "strategies/gp/dense_implementation.h"
