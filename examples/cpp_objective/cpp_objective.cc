// A trial that needs nothing but this binary: pretends to train a model whose loss falls towards the Branin function of
// x1 and x2, and prints a line per epoch. Branin's smallest value is 0.397887, at (-pi, 12.275), (pi, 2.275) and
// (9.42478, 2.475).
//
//   cpp_objective --x1 3.1 --x2 2.3 [--epochs 5] [--seconds 0] [--noise 0] [--seed 1]

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <numbers>
#include <random>
#include <string>
#include <string_view>
#include <thread>

namespace {

double Branin(double x1, double x2) {
  using std::numbers::pi;
  const double valley = x2 - 5.1 / (4 * pi * pi) * x1 * x1 + 5 / pi * x1 - 6;
  return valley * valley + 10 * (1 - 1 / (8 * pi)) * std::cos(x1) + 10;
}

// Reads `--name value` pairs into `options`; false, with a message, at the first one that is unknown or no number.
bool ReadOptions(int argc, char** argv, std::map<std::string, double, std::less<>>& options) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const auto option = name.starts_with("--") ? options.find(name.substr(2)) : options.end();
    if (option == options.end()) {
      std::fprintf(stderr, "cpp_objective: unknown option %s\n", argv[i]);
      return false;
    }
    const char* text = i + 1 < argc ? argv[i + 1] : "";
    const char* end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, option->second);
    if (error != std::errc() || rest != end) {
      std::fprintf(stderr, "cpp_objective: %s needs a number, not \"%s\"\n", argv[i], text);
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, double, std::less<>> options = {{"x1", 0},      {"x2", 0},    {"epochs", 5},
                                                        {"seconds", 0}, {"noise", 0}, {"seed", 1}};
  if (!ReadOptions(argc, argv, options)) return 2;

  std::mt19937_64 random(static_cast<std::uint64_t>(options["seed"]));
  std::normal_distribution<double> noise(0, 1);
  const int epochs = static_cast<int>(options["epochs"]);
  const double goal = Branin(options["x1"], options["x2"]);
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options["seconds"] / epochs));
    // 100 above the goal before the first epoch, and exactly there after the last.
    const double above = 100 * (std::exp(-3.0 * epoch / epochs) - std::exp(-3.0)) / (1 - std::exp(-3.0));
    std::printf("epoch %d loss %.9g\n", epoch, goal + above + options["noise"] * noise(random));
    std::fflush(stdout);
  }
  return 0;
}
