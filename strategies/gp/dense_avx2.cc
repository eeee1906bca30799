#define Eigen EigenAvx2
#define TUNER_DENSE_TABLE kDenseAvx2
#define TUNER_DENSE_NAME "avx2"
#include "strategies/gp/dense_implementation.h"
