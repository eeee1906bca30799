// From a YAML tree into any message, by reflection. Used by job_file only. Not thread-safe; one object for each text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "yaml-cpp/yaml.h"

namespace tuner::job_file {

class YamlReader {
 public:
  // Fills `message` from the root of a document. Problems are kept, not returned.
  void ReadRoot(const YAML::Node& root, google::protobuf::Message& message);

  // INVALID_ARGUMENT with all problems, one on each line; OK if there were none.
  absl::Status status() const;

 private:
  using Field = google::protobuf::FieldDescriptor;
  using Message = google::protobuf::Message;

  void ReadMessage(const YAML::Node& node, const std::string& path, int depth, Message& message);
  void ReadFields(const YAML::Node& node, const std::string& path, int depth, Message& message);
  void ReadField(const YAML::Node& node, const std::string& path, int depth, const Field& field, Message& message);
  void ReadList(const YAML::Node& node, const std::string& path, int depth, const Field& field, Message& message);
  void ReadMap(const YAML::Node& node, const std::string& path, int depth, const Field& field, Message& message);
  // Sets (or, for a repeated field, adds) one value.
  void ReadScalar(const YAML::Node& node, const std::string& path, const Field& field, Message& message);

  // The well-known types that have a form of their own; false if `message` is none.
  bool ReadWellKnown(const YAML::Node& node, const std::string& path, int depth, Message& message);
  void ReadValue(const YAML::Node& node, const std::string& path, int depth, google::protobuf::Value& value);
  void ReadStruct(const YAML::Node& node, const std::string& path, int depth, google::protobuf::Struct& value);

  // Whether the node may be read: counts it against the bounds on depth and size.
  bool Enter(const YAML::Node& node, const std::string& path, int depth);
  // The text of a node that must be a scalar; false, and a problem, if it is another.
  bool Text(const YAML::Node& node, const std::string& path, absl::string_view due, std::string& text);
  // The key of a map entry; false, and a problem, if it is no text or there twice.
  bool Key(const YAML::Node& key, const std::string& path, absl::flat_hash_set<std::string>& seen, std::string& text);
  // The value of `read`; nullopt, and a problem, if it is an error.
  template <typename T>
  std::optional<T> Checked(const YAML::Node& node, const std::string& path, absl::StatusOr<T> read);
  void Add(const YAML::Node& node, const std::string& path, absl::string_view text);

  std::vector<std::string> problems_;
  size_t left_out_ = 0;   // problems beyond kMaxProblems
  size_t size_ = 0;       // expanded, of what was read
  bool is_over_ = false;  // a bound was passed; nothing more is read
};

// Whether the scalar was written in quotes or as a block, so that it is text for certain.
bool IsQuoted(const YAML::Node& node);

}  // namespace tuner::job_file
