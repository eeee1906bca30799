// What a text of a specification must be, for the sources of validate.h. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>

namespace tuner::core {

// Number of characters (code points) of a UTF-8 text.
size_t CharacterCount(const std::string& text);

// What is wrong with a text of `min` to `max` characters that must hold no control characters; empty if nothing is.
std::string TextProblem(const std::string& text, size_t min, size_t max);

// The same for the name of a parameter or metric: 1 to 256 characters.
std::string NameProblem(const std::string& name);

}  // namespace tuner::core
