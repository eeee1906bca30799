#include "tuner/cli/trial_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/json_util.h"
#include "proto/convert.h"
#include "tuner/cli/definition_view.h"
#include "tuner/cli/job_view.h"
#include "tuner/cli/outcome_view.h"
#include "tuner/cli/text.h"

namespace tuner::cli {
namespace {

const char* const kOwnColumns[] = {"number",      "state",       "origin",   "objective", "best_objective",
                                   "run_seconds", "create_time", "end_time", "reason"};
// Only where there are constraints, or several objectives.
const char* const kKeepsConstraints = "keeps_constraints";
const char* const kOnFront = "on_pareto_front";
// Only in jobs with definitions.
const char* const kDefinition = "definition";

bool IsOwnColumn(const std::string& name) {
  return std::find(std::begin(kOwnColumns), std::end(kOwnColumns), name) != std::end(kOwnColumns) ||
         name == kKeepsConstraints || name == kOnFront;
}

std::string ExactNumber(double value) {
  google::protobuf::Value exact;
  exact.set_number_value(value);
  return std::isfinite(value) ? ValueText(exact) : Number(value);
}

std::string UtcText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", ToTime(time), absl::UTCTimeZone());
}

// What a row or object says, by column.
using Fields = std::map<std::string, google::protobuf::Value>;

// What a row of a definition is read by; of the job itself, if it has only one.
struct Definition {
  v1::TuningJobSpec spec;
  std::map<std::string, const v1::Parameter*> parameters;  // of `spec`, by name
};

// By name.
class Definitions {
 public:
  explicit Definitions(const v1::TuningJobSpec& spec) : several_(!spec.definitions().empty()) {
    Add("", spec);
    for (int i = 0; i < spec.definitions_size(); ++i) {
      Add(spec.definitions(i).name(), convert::DefinitionAsJob(spec, i));
    }
  }
  bool several() const { return several_; }
  // INVALID_ARGUMENT: there is none of that name.
  absl::StatusOr<const Definition*> Find(const std::string& name) const {
    const auto found = all_.find(name);
    if (found != all_.end() && (!several_ || !name.empty())) return &found->second;
    return absl::InvalidArgumentError(
        absl::StrCat(kDefinition, ": \"", name, "\" should be one of ", DefinitionNames(all_.at("").spec), "."));
  }

 private:
  void Add(const std::string& name, v1::TuningJobSpec spec) {
    Definition& definition = all_[name];
    definition.spec = std::move(spec);
    for (const v1::Parameter* parameter : AllParameters(definition.spec)) {
      definition.parameters[parameter->name()] = parameter;
    }
  }

  bool several_;
  std::map<std::string, Definition> all_;
};

// One trial, or nullopt for one that has not ended by itself, or has the result of another one.
absl::StatusOr<std::optional<v1::Trial>> TrialOf(const v1::TuningJobSpec& spec,
                                                 const std::map<std::string, const v1::Parameter*>& parameters,
                                                 const Fields& fields) {
  v1::Trial trial;
  const std::string& metric = spec.objective().metric();
  for (const auto& [name, field] : fields) {
    const auto parameter = parameters.find(name);
    if (parameter != parameters.end()) {
      auto value = TypedValue(*parameter->second, ValueText(field));
      if (!value.ok()) return value.status();
      (*trial.mutable_parameters())[name] = *std::move(value);
      continue;
    }
    if (IsOwnColumn(name) && name != metric) continue;
    double number = 0;
    if (!absl::SimpleAtod(ValueText(field), &number))
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": \"", ValueText(field),
                       "\" should be a number; columns that are no parameter of the job are metrics."));
    (*trial.mutable_final_metrics())[name] = number;
  }
  const auto text = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : ValueText(found->second);
  };
  double objective = 0;
  if (trial.final_metrics().count(metric) == 0 && absl::SimpleAtod(text("objective"), &objective))
    (*trial.mutable_final_metrics())[metric] = objective;
  std::vector<std::string> needed = FurtherMetrics(spec);
  needed.insert(needed.begin(), metric);
  const auto missing = std::find_if(needed.begin(), needed.end(), [&](const std::string& name) {
    const std::optional<double> value = FinalValue(trial, name);
    return !value || !std::isfinite(*value);
  });
  const bool has_value = missing == needed.end();
  v1::Trial::State state = has_value ? v1::Trial::COMPLETED : v1::Trial::FAILED;
  const std::string named = absl::AsciiStrToUpper(text("state"));
  if (!named.empty() && !v1::Trial::State_Parse(named, &state))
    return absl::InvalidArgumentError(
        absl::StrCat("state: \"", named, "\" should be COMPLETED, FAILED or INFEASIBLE."));
  if (state != v1::Trial::COMPLETED && state != v1::Trial::FAILED && state != v1::Trial::INFEASIBLE)
    return std::nullopt;
  if (text("origin") == v1::Trial::Origin_Name(v1::Trial::REUSED)) return std::nullopt;
  if (state == v1::Trial::COMPLETED && !has_value)
    return absl::InvalidArgumentError(
        absl::StrCat("a COMPLETED trial needs a finite value in the column ", *missing, "."));
  trial.set_state(state);
  trial.set_reason(text("reason"));
  if (trial.reason().empty())
    trial.set_reason(has_value ? "imported" : absl::StrCat("imported without a value of ", *missing));
  return std::optional<v1::Trial>(std::move(trial));
}

absl::Status Add(const Definitions& definitions, Fields fields, const std::string& where, ImportedTrials& imported) {
  std::string name;
  if (definitions.several()) {
    if (const auto field = fields.find(kDefinition); field != fields.end()) name = ValueText(field->second);
    fields.erase(kDefinition);
  }
  const auto definition = definitions.Find(name);
  if (!definition.ok()) return absl::InvalidArgumentError(absl::StrCat(where, ": ", definition.status().message()));
  auto trial = TrialOf((*definition)->spec, (*definition)->parameters, fields);
  if (!trial.ok()) return absl::InvalidArgumentError(absl::StrCat(where, ": ", trial.status().message()));
  if (*trial) (*trial)->set_definition(name);
  if (*trial) {
    imported.trials.push_back(**std::move(trial));
  } else {
    ++imported.skipped;
  }
  return absl::OkStatus();
}

// An object of the list: flat, or a trial as the API writes it.
Fields FieldsOf(const google::protobuf::Struct& object, bool several) {
  Fields fields;
  for (const auto& [name, value] : object.fields()) {
    if ((name == "parameters" || name == "final_metrics") && value.has_struct_value()) {
      for (const auto& [inner, inner_value] : value.struct_value().fields()) fields[inner] = inner_value;
    } else if (value.kind_case() != google::protobuf::Value::kListValue &&
               value.kind_case() != google::protobuf::Value::kStructValue &&
               value.kind_case() != google::protobuf::Value::kNullValue) {
      fields[name] = value;
    }
  }
  // The API's own scalars that are no metrics.
  if (object.fields().count("parameters") > 0) {
    for (const char* name :
         {"name", "start_time", "run_time", "resource", "ordinal", "measurement_count", "steps_run", "steps_repeated"})
      fields.erase(name);
    if (!several) fields.erase(kDefinition);
  }
  return fields;
}

}  // namespace

absl::StatusOr<google::protobuf::Value> TypedValue(const v1::Parameter& parameter, const std::string& text) {
  google::protobuf::Value value;
  if (parameter.has_categorical()) {
    value.set_string_value(text);
    return value;
  }
  if (parameter.has_boolean()) {
    bool flag = false;
    if (!absl::SimpleAtob(text, &flag))
      return absl::InvalidArgumentError(absl::StrCat(parameter.name(), ": \"", text, "\" should be true or false."));
    value.set_bool_value(flag);
    return value;
  }
  double number = 0;
  if (!absl::SimpleAtod(text, &number))
    return absl::InvalidArgumentError(absl::StrCat(parameter.name(), ": \"", text, "\" should be a number."));
  value.set_number_value(number);
  return value;
}

std::string TrialsToCsv(const v1::TuningJob& job, const v1::ListTrialsResponse& trials) {
  const std::vector<std::string> parameters = ParameterNames(job.spec());
  std::set<std::string> metrics;
  for (const v1::Trial& trial : trials.trials()) {
    for (const auto& [name, value] : trial.final_metrics()) metrics.insert(name);
  }
  const auto line = [](const std::vector<std::string>& cells) {
    return absl::StrJoin(cells, ",", [](std::string* out, const std::string& cell) { out->append(CsvField(cell)); }) +
           "\n";
  };
  std::vector<std::string> titles(std::begin(kOwnColumns), std::end(kOwnColumns));
  const bool of_definitions = !job.spec().definitions().empty();
  if (of_definitions) titles.insert(titles.begin() + 1, kDefinition);
  const bool constrained = !job.spec().outcome_constraints().empty();
  const bool several = !job.spec().additional_objectives().empty();
  if (constrained) titles.push_back(kKeepsConstraints);
  if (several) titles.push_back(kOnFront);
  titles.insert(titles.end(), parameters.begin(), parameters.end());
  titles.insert(titles.end(), metrics.begin(), metrics.end());
  std::string text = line(titles);
  for (const v1::Trial& trial : trials.trials()) {
    std::vector<std::string> cells = {absl::StrCat(trial.number()),
                                      StateText(trial.state()),
                                      v1::Trial::Origin_Name(trial.origin()),
                                      trial.has_objective() ? ExactNumber(trial.objective()) : "",
                                      trial.has_best_objective() ? ExactNumber(trial.best_objective()) : "",
                                      ExactNumber(absl::ToDoubleSeconds(RunTime(trial))),
                                      UtcText(trial.create_time()),
                                      UtcText(trial.end_time()),
                                      trial.reason()};
    if (of_definitions) cells.insert(cells.begin() + 1, trial.definition());
    const bool completed = trial.state() == v1::Trial::COMPLETED;
    const auto truth = [&](bool value) { return !completed ? "" : value ? "true" : "false"; };
    if (constrained) cells.push_back(truth(BrokenText(job.spec(), trial).empty()));
    if (several) cells.push_back(truth(OnFront(job, trial)));
    for (const std::string& name : parameters) {
      const auto found = trial.parameters().find(name);
      cells.push_back(found == trial.parameters().end() ? "" : ValueText(found->second));
    }
    for (const std::string& name : metrics) {
      const auto found = trial.final_metrics().find(name);
      cells.push_back(found == trial.final_metrics().end() ? "" : ExactNumber(found->second));
    }
    text += line(cells);
  }
  return text;
}

absl::StatusOr<ImportedTrials> TrialsFromCsv(const v1::TuningJobSpec& spec, const std::string& text) {
  const auto rows = ParseCsv(text);
  if (!rows.ok()) return rows.status();
  if (rows->empty())
    return absl::InvalidArgumentError(
        "the file is empty. Its first line should name the columns: parameters and metrics.");
  const Definitions definitions(spec);
  const std::vector<std::string>& titles = rows->front();
  ImportedTrials imported;
  for (size_t i = 1; i < rows->size(); ++i) {
    const std::vector<std::string>& row = (*rows)[i];
    const std::string where = absl::StrCat("row ", i + 1);
    if (row.size() > titles.size())
      return absl::InvalidArgumentError(
          absl::StrCat(where, " has ", row.size(), " fields, the first line names ", titles.size(), " columns."));
    Fields fields;
    for (size_t column = 0; column < row.size(); ++column) {
      if (!row[column].empty())
        fields[std::string(absl::StripAsciiWhitespace(titles[column]))].set_string_value(row[column]);
    }
    if (auto status = Add(definitions, std::move(fields), where, imported); !status.ok()) return status;
  }
  return imported;
}

absl::StatusOr<ImportedTrials> TrialsFromJson(const v1::TuningJobSpec& spec, const std::string& text) {
  google::protobuf::Value document;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &document);
  if (!parsed.ok())
    return absl::InvalidArgumentError(absl::StrCat("the file is not JSON: ", std::string(parsed.message())));
  const google::protobuf::Value* list = &document;
  if (document.has_struct_value()) {
    const auto found = document.struct_value().fields().find("trials");
    if (found != document.struct_value().fields().end()) list = &found->second;
  }
  if (!list->has_list_value())
    return absl::InvalidArgumentError(
        "the file should be a list of objects, or {\"trials\": [...]} as export writes it.");
  const Definitions definitions(spec);
  ImportedTrials imported;
  for (int i = 0; i < list->list_value().values_size(); ++i) {
    const google::protobuf::Value& value = list->list_value().values(i);
    const std::string where = absl::StrCat("trials[", i, "]");
    if (!value.has_struct_value())
      return absl::InvalidArgumentError(absl::StrCat(where, " should be an object of parameters and metrics."));
    if (auto status = Add(definitions, FieldsOf(value.struct_value(), definitions.several()), where, imported);
        !status.ok())
      return status;
  }
  return imported;
}

}  // namespace tuner::cli
