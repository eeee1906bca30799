// strategies: what the server has.
#include "tuner/cli/components.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/struct.pb.h"
#include "tuner/cli/errors.h"
#include "tuner/cli/text.h"
#include "tuner/cli/verbs.h"

namespace tuner::cli {
namespace {

using ComponentList = google::protobuf::RepeatedPtrField<v1::ComponentInfo>;

// All pages of one of the three lists.
template <typename Request, typename List>
absl::StatusOr<ComponentList> Fetch(Client& client, List list) {
  ComponentList all;
  Request request;
  request.set_page_size(1000);
  do {
    auto page = client.Call(request);
    if (!page.ok()) return page.status();
    for (const v1::ComponentInfo& component : list(*page)) *all.Add() = component;
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return all;
}

std::string Meaning(const v1::OptionInfo& option) {
  std::string text = option.description();
  if (option.enum_values_size() > 0)
    absl::StrAppend(&text, text.empty() ? "" : " ", "One of ", absl::StrJoin(option.enum_values(), ", "), ".");
  return text;
}

void Print(Printer& printer, const std::string& title, const ComponentList& components) {
  printer.out() << printer.Bold(title) << "\n";
  for (const v1::ComponentInfo& component : components) {
    printer.out() << "  " << printer.Bold(Printable(component.name())) << "  " << Printable(component.description())
                  << "\n";
    if (!component.available())
      printer.out() << "    " << printer.Yellow(absl::StrCat("not here: ", Printable(component.unavailable_reason())))
                    << "\n";
    for (const v1::OptionInfo& option : component.options()) {
      printer.out() << "    " << Printable(option.name()) << " (" << Printable(option.type());
      if (option.required()) printer.out() << ", required";
      if (!option.default_value().empty()) printer.out() << ", default " << Printable(option.default_value());
      printer.out() << ")" << (Meaning(option).empty() ? "" : ": ") << Printable(Meaning(option)) << "\n";
    }
  }
  printer.out() << "\n";
}

}  // namespace

absl::StatusOr<Components> FetchComponents(Client& client) {
  Components components;
  auto strategies = Fetch<v1::ListStrategiesRequest>(
      client, [](const v1::ListStrategiesResponse& page) { return page.strategies(); });
  if (!strategies.ok()) return strategies.status();
  auto executors =
      Fetch<v1::ListExecutorsRequest>(client, [](const v1::ListExecutorsResponse& page) { return page.executors(); });
  if (!executors.ok()) return executors.status();
  auto rules = Fetch<v1::ListEarlyStoppingRulesRequest>(
      client, [](const v1::ListEarlyStoppingRulesResponse& page) { return page.rules(); });
  if (!rules.ok()) return rules.status();
  return Components{*std::move(strategies), *std::move(executors), *std::move(rules)};
}

absl::StatusOr<int> ListComponents(Context& context) {
  auto client = context.Open(Embed::kNothing);
  if (!client.ok()) return client.status();
  const auto components = FetchComponents(**client);
  if (!components.ok()) return components.status();
  Printer& printer = context.printer();
  if (context.json()) {
    printer.out() << "{\n\"strategies\": " << JsonList(components->strategies)
                  << ",\n\"executors\": " << JsonList(components->executors)
                  << ",\n\"early_stopping_rules\": " << JsonList(components->rules) << "\n}\n";
    return kDone;
  }
  Print(printer, "Strategies", components->strategies);
  Print(printer, "Executors", components->executors);
  Print(printer, "Early stopping rules", components->rules);
  return kDone;
}

}  // namespace tuner::cli
