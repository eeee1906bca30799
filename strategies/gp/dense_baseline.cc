#define Eigen EigenBaseline
#define TUNER_DENSE_TABLE kDenseBaseline
#define TUNER_DENSE_NAME "baseline"
#include "strategies/gp/dense_implementation.h"
