// deadlines: many jobs of a strategy with a model, each with a result every two seconds, on one small machine.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "bench/baseline.h"
#include "bench/bench.h"
#include "bench/tuner_server.h"
#include "core/rng.h"
#include "grpcpp/grpcpp.h"

namespace tuner::bench {
namespace {

constexpr int kDimensions = 10;
constexpr absl::Duration kDeadline = absl::Milliseconds(200);  // what SuggestTrials has by default
constexpr absl::Duration kPeriod = absl::Seconds(2);           // between the results of a job
constexpr absl::Duration kLookPeriod = absl::Milliseconds(50);
constexpr absl::Duration kGetTarget = absl::Milliseconds(20);
constexpr double kFallbackTarget = 0.01;
constexpr double kFreshTarget = 0.5;

// Shifted in every job, with cross terms and a little noise.
double Loss(const google::protobuf::Map<std::string, google::protobuf::Value>& point, int job, core::Rng& rng) {
  double sum = 0;
  double before = 0;
  for (int i = 0; i < kDimensions; ++i) {
    const double x = point.at(absl::StrCat("x", i)).number_value() - 0.2 - 0.006 * ((job * 7 + i * 13) % 100);
    sum += x * x + 0.3 * x * before;
    before = x;
  }
  return sum + 0.01 * rng.NextDouble();
}

v1::TuningJobSpec Spec(const Context& context, int job) {
  v1::TuningJobSpec spec = RandomJob(absl::StrCat("deadlines-", job), 1'000'000, 4);
  for (int i = spec.parameters_size(); i < kDimensions; ++i) {
    v1::Parameter* parameter = spec.add_parameters();
    parameter->set_name(absl::StrCat("x", i));
    parameter->mutable_double_()->set_max(1);
  }
  // The results that are there are its initial design.
  if (context.options.strategy == "bayesian") spec.mutable_strategy()->mutable_bayesian()->set_initial_trials(1);
  spec.mutable_strategy()->set_random_seed(job + 1);
  return spec;
}

struct Tally {
  absl::Mutex mutex;
  std::vector<absl::Duration> asks ABSL_GUARDED_BY(mutex);
  std::vector<absl::Duration> looks ABSL_GUARDED_BY(mutex);  // GetTuningJob
  int64_t without_trial ABSL_GUARDED_BY(mutex) = 0;
  int64_t kinds[4] ABSL_GUARDED_BY(mutex) = {};
  int64_t errors ABSL_GUARDED_BY(mutex) = 0;
  std::string first_error ABSL_GUARDED_BY(mutex);

  void Error(const grpc::Status& status) {
    absl::MutexLock lock(&mutex);
    if (++errors == 1) first_error = status.error_message();
  }
};

// The worker of one job.
class Worker {
 public:
  Worker(v1::TuningService::Stub* stub, std::string job_name, int job, Tally* tally)
      : stub_(stub), job_name_(std::move(job_name)), job_(job), tally_(tally), rng_(4711, static_cast<uint64_t>(job)) {}

  // Results of random points, as of an earlier study.
  grpc::Status Import(int results) {
    v1::AddTrialsRequest request;
    request.set_parent(job_name_);
    for (int i = 0; i < results; ++i) {
      v1::Trial& trial = *request.add_trials();
      for (int d = 0; d < kDimensions; ++d) {
        (*trial.mutable_parameters())[absl::StrCat("x", d)].set_number_value(rng_.NextDouble());
      }
      trial.set_state(v1::Trial::COMPLETED);
      (*trial.mutable_final_metrics())["loss"] = Loss(trial.parameters(), job_, rng_);
    }
    v1::AddTrialsResponse response;
    grpc::ClientContext context;
    return results == 0 ? grpc::Status::OK : stub_->AddTrials(&context, request, &response);
  }

  void Ask(bool counted) {
    v1::SuggestTrialsRequest request;
    request.set_parent(job_name_);
    request.set_worker_id("worker");
    v1::SuggestTrialsResponse response;
    grpc::ClientContext context;
    const absl::Time begin = absl::Now();
    const grpc::Status status = stub_->SuggestTrials(&context, request, &response);
    const absl::Duration elapsed = absl::Now() - begin;
    if (!status.ok()) return tally_->Error(status);
    held_ = response.trials().empty() ? v1::Trial() : response.trials(0);
    if (!counted) return;
    absl::MutexLock lock(&tally_->mutex);
    tally_->asks.push_back(elapsed);
    if (response.trials().empty()) ++tally_->without_trial;
    ++tally_->kinds[held_.basis().kind()];
  }

  void Complete() {
    if (held_.name().empty()) return;
    v1::CompleteTrialRequest request;
    request.set_name(held_.name());
    request.set_attempt(held_.attempts().rbegin()->number());
    request.set_worker_id("worker");
    (*request.mutable_final_metrics())["loss"] = Loss(held_.parameters(), job_, rng_);
    v1::Trial response;
    grpc::ClientContext context;
    if (const grpc::Status status = stub_->CompleteTrial(&context, request, &response); !status.ok()) {
      tally_->Error(status);
    }
    held_.Clear();
  }

  // A result every kPeriod, and the ask for the next trial right after it.
  void Work(absl::Time begin, absl::Time end) {
    Ask(/*counted=*/false);
    for (absl::Time next = begin; next < end; next += kPeriod) {
      absl::SleepFor(next - absl::Now());
      Complete();
      Ask(/*counted=*/true);
    }
  }

 private:
  v1::TuningService::Stub* const stub_;
  const std::string job_name_;
  const int job_;
  Tally* const tally_;
  core::Rng rng_;
  v1::Trial held_;
};

// Somebody who looks at the jobs, one after the other.
void Look(v1::TuningService::Stub* stub, const std::vector<std::string>& jobs, absl::Time end, Tally* tally) {
  for (size_t i = 0; absl::Now() < end; ++i) {
    v1::GetTuningJobRequest request;
    request.set_name(jobs[i % jobs.size()]);
    v1::TuningJob job;
    grpc::ClientContext context;
    const absl::Time begin = absl::Now();
    const grpc::Status status = stub->GetTuningJob(&context, request, &job);
    if (!status.ok()) tally->Error(status);
    {
      absl::MutexLock lock(&tally->mutex);
      tally->looks.push_back(absl::Now() - begin);
    }
    absl::SleepFor(kLookPeriod);
  }
}

absl::Duration Quantile(std::vector<absl::Duration> values, double q) {
  std::sort(values.begin(), values.end());
  return values.empty() ? absl::ZeroDuration()
                        : values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

std::string Percent(int64_t part, int64_t all) {
  return absl::StrFormat("%d (%.2f %%)", part,
                         all == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

void Print(const Context& context, Tally& tally, absl::Duration cpu) {
  absl::MutexLock lock(&tally.mutex);
  const auto asks = static_cast<int64_t>(tally.asks.size());
  const auto late =
      std::count_if(tally.asks.begin(), tally.asks.end(), [](absl::Duration time) { return time > kDeadline; });
  const int64_t fallback = tally.kinds[v1::Basis::FALLBACK];
  const int64_t fresh = tally.kinds[v1::Basis::FRESH];
  const absl::Duration look = Quantile(tally.looks, 0.99);
  Table table({"figure", "seen", "target"});
  table.Add({"asks", absl::StrCat(asks), ""});
  table.Add({"answers without a trial", absl::StrCat(tally.without_trial),
             absl::StrCat("0: ", Verdict(tally.without_trial == 0))});
  table.Add({"later than 200 ms at the client", absl::StrCat(late), absl::StrCat("0: ", Verdict(late == 0))});
  table.Add({"FRESH", Percent(fresh, asks), absl::StrCat("> 50 %: ", Verdict(fresh > kFreshTarget * asks))});
  table.Add({"LAST_FIT", Percent(tally.kinds[v1::Basis::LAST_FIT], asks), ""});
  table.Add({"FALLBACK", Percent(fallback, asks), absl::StrCat("< 1 %: ", Verdict(fallback < kFallbackTarget * asks))});
  table.Add({"SuggestTrials p50, p99, longest",
             absl::StrCat(Milliseconds(Quantile(tally.asks, 0.5)), ", ", Milliseconds(Quantile(tally.asks, 0.99)), ", ",
                          Milliseconds(Quantile(tally.asks, 1))),
             ""});
  table.Add({"GetTuningJob p99", Milliseconds(look), absl::StrCat("< 20 ms: ", Verdict(look < kGetTarget))});
  table.Add({"processor time of the server", absl::FormatDuration(cpu), ""});
  table.Add({"errors", absl::StrCat(tally.errors), Brief(tally.first_error)});
  table.Print(*context.out);
}

}  // namespace

absl::Status RunDeadlines(const Context& context) {
  const auto baseline = Baseline(context);
  if (!baseline.ok()) return baseline.status();
  auto server = TunerServer::Start(context, "sqlite");
  if (!server.ok()) return server.status();
  std::vector<std::string> names;
  std::vector<std::unique_ptr<v1::TuningService::Stub>> stubs;
  std::vector<std::unique_ptr<Worker>> workers;
  Tally tally;
  const auto stub = [&] {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(v1::TuningService::NewStub(
        grpc::CreateCustomChannel((*server)->endpoint(), grpc::InsecureChannelCredentials(), arguments)));
    return stubs.back().get();
  };
  const int history = std::min(1000, context.options.history);
  for (int i = 0; i < context.options.jobs; ++i) {
    const auto job = (*server)->Create(Spec(context, i));
    if (!job.ok()) return job.status();
    names.push_back(job->name());
    workers.push_back(std::make_unique<Worker>(stub(), job->name(), i, &tally));
    if (const grpc::Status status = workers.back()->Import(history); !status.ok()) {
      return absl::UnavailableError(absl::StrCat("AddTrials: ", status.error_message()));
    }
  }
  const auto before = (*server)->program().CpuTime();
  // Spread evenly over a period; the first asks of all come a period before the results that are counted.
  const absl::Time begin = absl::Now() + kPeriod;
  const absl::Time end = begin + context.options.deadlines_duration;
  std::vector<std::thread> threads;
  for (int i = 0; i < context.options.jobs; ++i) {
    const absl::Time first = begin + kPeriod * i / context.options.jobs;
    threads.emplace_back([&worker = *workers[static_cast<size_t>(i)], first, end] {
      absl::SleepFor(first - kPeriod - absl::Now());
      worker.Work(first, end);
    });
  }
  threads.emplace_back(&Look, stub(), names, end, &tally);
  for (std::thread& thread : threads) thread.join();
  const auto after = (*server)->program().CpuTime();
  if (!before.ok() || !after.ok()) return absl::UnavailableError("the server has ended");
  *context.out << *baseline << names.size() << " jobs of " << context.options.strategy << " search over " << kDimensions
               << " doubles with " << history << " results each, and one more every " << absl::FormatDuration(kPeriod)
               << ", for " << absl::FormatDuration(context.options.deadlines_duration) << "\n\n";
  Print(context, tally, *after - *before);
  return absl::OkStatus();
}

}  // namespace tuner::bench
