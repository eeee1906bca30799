#include "tuner/cli/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

constexpr size_t kBarWidth = 30;

std::string Bar(double done, double active, bool utf8) {
  const size_t full = static_cast<size_t>(done * kBarWidth + 0.5);
  const size_t half = std::min(kBarWidth - full, static_cast<size_t>(active * kBarWidth + 0.5));
  std::string bar;
  for (size_t i = 0; i < kBarWidth; ++i)
    bar += i < full ? (utf8 ? "█" : "#") : i < full + half ? (utf8 ? "▒" : "=") : (utf8 ? "░" : ".");
  return bar;
}

class QuietView : public ProgressView {
 public:
  explicit QuietView(Printer& printer) : printer_(printer) {}
  void Show(JobProgress& progress, absl::Time) override { progress.TakeEnded(); }
  void Say(const std::string& text) override { printer_.Note(text); }
  void End() override {}
  absl::Duration interval() const override { return absl::Seconds(60); }

 private:
  Printer& printer_;
};

class LineView : public ProgressView {
 public:
  explicit LineView(Printer& printer) : printer_(printer) {}
  void Show(JobProgress& progress, absl::Time) override {
    if (!progress.known()) return;
    for (const v1::Trial& trial : progress.TakeEnded()) {
      printer_.out() << "[" << DoneOfAll(progress.job()) << "] " << TrialLine(trial, progress.job()) << "\n";
    }
    printer_.out().flush();
  }
  void Say(const std::string& text) override { printer_.out() << text << std::endl; }
  void End() override {}
  absl::Duration interval() const override { return absl::Seconds(60); }

 private:
  Printer& printer_;
};

class BarView : public ProgressView {
 public:
  BarView(Printer& printer, bool utf8) : printer_(printer), utf8_(utf8) {}
  ~BarView() override { End(); }

  void Show(JobProgress& progress, absl::Time now) override {
    if (!progress.known()) return;
    // Failures stay on the screen above the bar; the others are only counted.
    for (const v1::Trial& trial : progress.TakeEnded()) {
      if (trial.state() == v1::Trial::FAILED) failures_.push_back(TrialLine(trial, progress.job()));
    }
    if (now - drawn_ < interval() && !IsTerminal(progress.job().state())) return;
    drawn_ = now;
    std::string text = Erased();
    for (const std::string& line : failures_) absl::StrAppend(&text, printer_.Red(Shortened(line, Width())), "\n");
    failures_.clear();
    const std::vector<std::string> lines = ProgressLines(progress, now, printer_, utf8_, Width());
    for (const std::string& line : lines) absl::StrAppend(&text, line, "\n");
    lines_ = lines.size();
    printer_.out() << text << std::flush;
  }
  void Say(const std::string& text) override { printer_.out() << Erased() << text << std::endl; }
  void End() override { printer_.out() << Erased() << std::flush; }
  absl::Duration interval() const override { return absl::Milliseconds(200); }

 private:
  size_t Width() const { return printer_.style().width > 1 ? printer_.style().width - 1 : 79; }
  // Takes the bar off the screen.
  std::string Erased() {
    const size_t lines = std::exchange(lines_, 0);
    return lines == 0 ? "" : absl::StrCat("\x1b[", lines, "A\r\x1b[J");
  }

  Printer& printer_;
  const bool utf8_;
  size_t lines_ = 0;
  absl::Time drawn_ = absl::InfinitePast();
  std::vector<std::string> failures_;
};

}  // namespace

void JobProgress::Apply(const v1::WatchTuningJobResponse& change) {
  revision_ = std::max(revision_, change.revision());
  if (change.has_job()) {
    job_ = change.job();
    known_ = true;
  }
  for (const v1::Trial& trial : change.trials()) {
    if (NoteState(trial)) ended_.push_back(trial);
  }
}

void JobProgress::Remember(const v1::ListTrialsResponse& trials) {
  for (const v1::Trial& trial : trials.trials()) NoteState(trial);
}

bool JobProgress::NoteState(const v1::Trial& trial) {
  v1::Trial::State& state = states_[trial.number()];
  const bool newly_ended = IsTerminal(trial.state()) && !IsTerminal(state);
  state = trial.state();
  if (!newly_ended || trial.origin() == v1::Trial::IMPORTED) return false;
  if (trial.origin() == v1::Trial::REUSED) return true;  // took no time, so it tells nothing about the others
  run_time_ += RunTime(trial);
  ++timed_trials_;
  return true;
}

std::vector<v1::Trial> JobProgress::TakeEnded() {
  std::vector<v1::Trial> ended = std::exchange(ended_, {});
  std::stable_sort(ended.begin(), ended.end(),
                   [](const v1::Trial& a, const v1::Trial& b) { return a.number() < b.number(); });
  return ended;
}

std::optional<absl::Duration> JobProgress::TimeLeft() const {
  if (timed_trials_ == 0 || !job_.spec().limits().has_max_trials()) return std::nullopt;
  const int left = std::max(0, job_.spec().limits().max_trials() - DoneTrials(job_));
  const int parallel = std::max(1, std::min(left, static_cast<int>(job_.spec().limits().max_parallel_trials())));
  return run_time_ / timed_trials_ * left / parallel;
}

std::string TrialLine(const v1::Trial& trial, const v1::TuningJob& whole) {
  const v1::TuningJob job = JobOfDefinition(whole, trial.definition());
  std::string line = absl::StrCat("trial ", trial.number(), " ",
                                  trial.definition().empty() ? "" : absl::StrCat("of ", trial.definition(), " "),
                                  StateText(trial.state()));
  if (const std::string values = ValuesText(job.spec(), trial); !values.empty()) absl::StrAppend(&line, "  ", values);
  if (RunTime(trial) > absl::ZeroDuration()) absl::StrAppend(&line, " in ", DurationText(RunTime(trial)));
  absl::StrAppend(&line, "  ", ParametersText(trial, ParameterNames(job.spec())));
  if (trial.state() != v1::Trial::COMPLETED && !trial.reason().empty())
    absl::StrAppend(&line, "  (", ReasonLine(trial.reason()), ")");
  if (const std::string broken = BrokenText(job.spec(), trial); !broken.empty())
    absl::StrAppend(&line, "  (", broken, ")");
  return Printable(line);
}

std::vector<std::string> ProgressLines(const JobProgress& progress, absl::Time now, const Printer& printer, bool utf8,
                                       size_t width) {
  const v1::TuningJob& job = progress.job();
  const v1::TrialCounts& counts = job.trial_counts();
  const char* dot = utf8 ? " · " : ", ";
  const int done = DoneTrials(job);
  std::string line;
  if (job.spec().limits().has_max_trials() && job.spec().limits().max_trials() > 0) {
    const double all = job.spec().limits().max_trials();
    line = absl::StrCat(Bar(std::min(1.0, done / all), std::min(1.0, ActiveTrials(job) / all), utf8), " ");
  }
  absl::StrAppend(&line, DoneOfAll(job), " done", dot, ActiveTrials(job), " running", dot, counts.failed(), " failed",
                  dot, DurationText(Elapsed(job, now)));
  if (const auto left = progress.TimeLeft(); left && !IsTerminal(job.state()))
    absl::StrAppend(&line, dot, "about ", DurationText(*left), " left");
  std::vector<std::string> lines;
  lines.push_back(
      printer.Bold(Shortened(Printable(absl::StrCat(IdOf(job.name()), ": ", ObjectivesText(job.spec()))), width)));
  lines.push_back(Shortened(line, width));
  if (job.has_best_trial()) {
    const v1::Trial& best = job.best_trial();
    const std::string of = best.definition().empty() ? "" : absl::StrCat(" of ", best.definition());
    const std::string text = absl::StrCat("best ", Number(best.objective()), " (trial ", best.number(), of, ")  ",
                                          ParametersText(best, ParameterNames(job.spec())));
    lines.push_back(printer.Green(Shortened(Printable(text), width)));
  } else if (job.front_size() > 0) {
    const std::string text = absl::StrCat(job.front_size(), " trials on the Pareto front");
    lines.push_back(printer.Green(Shortened(text, width)));
  }
  for (const v1::DefinitionResult& result : job.definitions()) {
    if (!result.has_best_trial() || job.has_best_trial()) continue;
    const std::string text = absl::StrCat("best of ", result.name(), " ", Number(result.best_trial().objective()),
                                          " (trial ", result.best_trial().number(), ")");
    lines.push_back(printer.Green(Shortened(Printable(text), width)));
  }
  if (!job.paused_reason().empty()) {
    lines.push_back(printer.Yellow(Shortened(Printable(absl::StrCat("paused: ", job.paused_reason())), width)));
  }
  return lines;
}

std::unique_ptr<ProgressView> MakeProgressView(Printer& printer, bool utf8) {
  if (printer.style().json || printer.style().quiet) return std::make_unique<QuietView>(printer);
  if (printer.style().terminal) return std::make_unique<BarView>(printer, utf8);
  return std::make_unique<LineView>(printer);
}

}  // namespace tuner::cli
