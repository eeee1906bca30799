#include "tuner/cli/result.h"

#include "absl/strings/str_cat.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

void PrintBest(Printer& printer, const v1::TuningJob& job) {
  if (job.front_size() > 0) {
    printer.out() << "Pareto front: " << printer.Green(absl::StrCat(job.front_size())) << " trials, "
                  << Printable(ObjectivesText(job.spec())) << "\n\n";
    printer.Print(FrontTable(job));
    return;
  }
  if (!job.has_best_trial()) {
    printer.out() << Printable(NoBestText(job)) << "\n";
    return;
  }
  const v1::Trial& best = job.best_trial();
  printer.out() << "Best: trial " << best.number() << ", " << Printable(job.spec().objective().metric()) << " = "
                << printer.Green(Number(best.objective())) << "\n\n";
  printer.Print(ParameterTable(best, ParameterNames(job.spec())));
}

void PrintNext(Printer& printer, const v1::TuningJob& job) {
  const std::string id = IdOf(job.name());
  const auto line = [&](const std::string& command, const char* what) {
    printer.out() << "  " << command << std::string(command.size() < 44 ? 44 - command.size() : 1, ' ')
                  << printer.Dim(what) << "\n";
  };
  printer.out() << "\nNext:\n";
  if (job.spec().additional_objectives().empty()) {
    line(absl::StrCat("tuner trials ", id, " --order-by objective",
                      job.spec().objective().goal() == v1::Objective::MAXIMIZE ? "\\ desc" : ""),
         "every trial, best first");
  } else {
    line(absl::StrCat("tuner trials ", id), "every trial, those on the front marked");
  }
  line(absl::StrCat("tuner plot ", id), "pictures of what happened");
  if (job.has_best_trial() && !ArtifactPath(job.best_trial()).empty())
    line(absl::StrCat("tuner best ", id, " --fetch DIR"), "the best trial's files");
}

}  // namespace

void PrintResult(Printer& printer, const v1::TuningJob& job, absl::Time now) {
  if (printer.style().json) return printer.PrintJson(job);
  const std::string state = StateText(job.state());
  printer.out() << "Job " << IdOf(job.name()) << " "
                << (job.state() == v1::TuningJob::FAILED ? printer.Red(state) : printer.Bold(state))
                << (job.reason().empty() ? "" : ": ") << Printable(job.reason()) << "\n";
  PrintBest(printer, job);
  if (printer.style().quiet) return;
  printer.out() << "\n"
                << DoneOfAll(job) << " trials done, " << job.trial_counts().failed() << " failed, in "
                << DurationText(Elapsed(job, now)) << ".\n";
  if (job.has_best_trial() && !ArtifactPath(job.best_trial()).empty()) {
    printer.out() << "The best trial's files are in " << Printable(ArtifactPath(job.best_trial())) << "\n";
  }
  PrintNext(printer, job);
}

int ExitCodeOf(const v1::TuningJob& job) { return job.state() == v1::TuningJob::FAILED ? kJobFailed : kDone; }

}  // namespace tuner::cli
