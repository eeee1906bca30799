// doctor: what works on this machine.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "executors/executor.h"
#include "google/protobuf/struct.pb.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/machine.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

std::vector<Finding> ExecutorFindings(const executors::ExecutorRegistry& kinds) {
  std::vector<Finding> findings;
  for (const executors::ExecutorKind& kind : kinds.kinds()) {
    const std::string missing = kind.missing();
    const std::string name = absl::StrCat("executor ", kind.name);
    if (missing.empty()) {
      findings.push_back({name, Finding::State::kGood, kind.description, ""});
    } else {
      findings.push_back({name, Finding::State::kMissing, kind.description, missing});
    }
  }
  return findings;
}

const char* StateName(Finding::State state) {
  switch (state) {
    case Finding::State::kGood:
      return "ok";
    case Finding::State::kWarning:
      return "warning";
    case Finding::State::kMissing:
      return "missing";
  }
  return "";
}

google::protobuf::Struct Document(const std::vector<Finding>& findings, bool usable) {
  google::protobuf::Struct document;
  (*document.mutable_fields())["usable"].set_bool_value(usable);
  auto& list = *(*document.mutable_fields())["checks"].mutable_list_value();
  for (const Finding& finding : findings) {
    auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
    fields["name"].set_string_value(finding.name);
    fields["state"].set_string_value(StateName(finding.state));
    fields["found"].set_string_value(finding.text);
    fields["advice"].set_string_value(finding.advice);
  }
  return document;
}

void Print(Printer& printer, const std::vector<Finding>& findings) {
  size_t widest = 0;
  for (const Finding& finding : findings) widest = std::max(widest, DisplayWidth(finding.name));
  for (const Finding& finding : findings) {
    const std::string state = finding.state == Finding::State::kGood      ? printer.Green("ok     ")
                              : finding.state == Finding::State::kWarning ? printer.Yellow("warning")
                                                                          : printer.Red("missing");
    printer.out() << state << "  " << finding.name << std::string(widest - DisplayWidth(finding.name) + 2, ' ')
                  << Printable(finding.text) << "\n";
    if (!finding.advice.empty())
      printer.out() << std::string(widest + 11, ' ') << printer.Dim(Printable(finding.advice)) << "\n";
  }
}

}  // namespace

absl::StatusOr<int> Doctor(Context& context, const DoctorOptions& options) {
  const std::string data_dir = DataDir(context.environment(), context.connect_options().data_dir, false);
  std::vector<Finding> findings = ExecutorFindings(context.environment().executor_kinds);
  // External trials need nothing here; what a person asks is whether anything can be run.
  const bool runs_trials = std::any_of(findings.begin(), findings.end(),
                                       [](const Finding& finding) { return finding.state == Finding::State::kGood; });
  const Finding writable = CheckWritable(data_dir);
  for (Finding finding : {writable, CheckDiskSpace(data_dir), CheckSync(data_dir), CheckCores(), CheckMemory(),
                          CheckGpus(), CheckCgroups(), CheckGnuplot(), CheckClock(), CheckPort(options.listen)}) {
    findings.push_back(std::move(finding));
  }
  const bool usable = runs_trials && writable.state == Finding::State::kGood;
  Printer& printer = context.printer();
  if (context.json()) {
    printer.PrintJson(Document(findings, usable));
  } else {
    Print(printer, findings);
    if (!usable) printer.out() << "\nNo trial can run here until what is missing is mended.\n";
  }
  return usable ? kDone : kJobFailed;
}

}  // namespace tuner::cli
