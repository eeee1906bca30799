// How far a job is, as a bar that redraws itself or as plain lines.
//
// Threads: one thread. Ownership: views borrow the printer. No errors.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tuner/cli/format.h"
#include "tuner/v1/tuning_service.pb.h"

namespace tuner::cli {

// A job and its trials, kept up to date by what a watch tells.
class JobProgress {
 public:
  void Apply(const v1::WatchTuningJobResponse& change);
  // These had ended before: they count, but TakeEnded does not tell of them.
  void Remember(const v1::ListTrialsResponse& trials);

  bool known() const { return known_; }
  const v1::TuningJob& job() const { return job_; }
  int64_t revision() const { return revision_; }
  // Trials that have ended since the last call, in order of number.
  std::vector<v1::Trial> TakeEnded();
  // Guess from the mean run time of ended trials; nullopt while there is nothing to guess from.
  std::optional<absl::Duration> TimeLeft() const;

 private:
  // False: it had ended already, or has not.
  bool NoteState(const v1::Trial& trial);

  bool known_ = false;
  v1::TuningJob job_;
  int64_t revision_ = 0;
  std::map<int, v1::Trial::State> states_;
  std::vector<v1::Trial> ended_;
  absl::Duration run_time_ = absl::ZeroDuration();
  int timed_trials_ = 0;
};

class ProgressView {
 public:
  virtual ~ProgressView() = default;
  // The job changed, or time went by.
  virtual void Show(JobProgress& progress, absl::Time now) = 0;
  // Something to say that stays on the screen.
  virtual void Say(const std::string& text) = 0;
  // Nothing more comes; leaves a clean screen.
  virtual void End() = 0;
  // How often Show is due without a change.
  virtual absl::Duration interval() const = 0;
};

// A bar on a terminal, plain lines elsewhere, nothing with --quiet or --output json.
std::unique_ptr<ProgressView> MakeProgressView(Printer& printer, bool utf8);

// The bar's lines, at most `width` columns each; for the view and its tests.
std::vector<std::string> ProgressLines(const JobProgress& progress, absl::Time now, const Printer& printer, bool utf8,
                                       size_t width);
// One line for a trial that ended: "trial 7 COMPLETED  loss 0.31 in 12s  eta=0.1 ...".
std::string TrialLine(const v1::Trial& trial, const v1::TuningJob& job);

}  // namespace tuner::cli
