#include "tuner/server/reflection.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tuner/server/status.h"

namespace tuner::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// The file and all that it imports, the file first.
void AddFiles(const FileDescriptor* file, absl::flat_hash_set<const FileDescriptor*>& seen,
              std::vector<std::string>& out) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.push_back(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) AddFiles(file->dependency(i), seen, out);
}

// The two versions of the protocol have the same messages under different names.
template <typename Request, typename Response>
Response Answer(const Request& request, const std::vector<std::string>& services) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const auto not_found = [&response](const std::string& what) {
    response.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
    response.mutable_error_response()->set_error_message(absl::StrCat("there is no ", what, " here"));
  };
  const auto send_file = [&](const FileDescriptor* file, const std::string& what) {
    if (file == nullptr) return not_found(what);
    absl::flat_hash_set<const FileDescriptor*> seen;
    std::vector<std::string> files;
    AddFiles(file, seen, files);
    for (std::string& each : files)
      response.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(each));
  };
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      send_file(pool.FindFileByName(request.file_by_filename()), request.file_by_filename());
      break;
    case Request::kFileContainingSymbol:
      send_file(pool.FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol());
      break;
    case Request::kFileContainingExtension: {
      const auto& wanted = request.file_containing_extension();
      const Descriptor* type = pool.FindMessageTypeByName(wanted.containing_type());
      const FieldDescriptor* field =
          type == nullptr ? nullptr : pool.FindExtensionByNumber(type, wanted.extension_number());
      send_file(field == nullptr ? nullptr : field->file(), wanted.containing_type());
      break;
    }
    case Request::kAllExtensionNumbersOfType: {
      const Descriptor* type = pool.FindMessageTypeByName(request.all_extension_numbers_of_type());
      if (type == nullptr) {
        not_found(request.all_extension_numbers_of_type());
        break;
      }
      std::vector<const FieldDescriptor*> extensions;
      pool.FindAllExtensions(type, &extensions);
      response.mutable_all_extension_numbers_response()->set_base_type_name(type->full_name());
      for (const FieldDescriptor* field : extensions) {
        response.mutable_all_extension_numbers_response()->add_extension_number(field->number());
      }
      break;
    }
    case Request::kListServices:
      for (const std::string& name : services) response.mutable_list_services_response()->add_service()->set_name(name);
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      response.mutable_error_response()->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      response.mutable_error_response()->set_error_message("the request asks for nothing");
      break;
  }
  return response;
}

// One question, one answer, until the client has no more.
template <typename Request, typename Response>
class Dialogue final : public grpc::ServerBidiReactor<Request, Response> {
 public:
  Dialogue(const absl::Status& admitted, const std::vector<std::string>& services) : services_(services) {
    if (admitted.ok()) {
      this->StartRead(&request_);
    } else {
      this->Finish(ToGrpc(admitted));
    }
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::OK);
    response_ = Answer<Request, Response>(request_, services_);
    this->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::CANCELLED);
    this->StartRead(&request_);
  }
  void OnDone() override { delete this; }

  const std::vector<std::string>& services_;
  Request request_;
  Response response_;
};

template <typename Base, typename Request, typename Response>
class Reflection final : public Base {
 public:
  Reflection(const Authenticator* authenticator, std::vector<std::string> services)
      : authenticator_(*authenticator), services_(std::move(services)) {}

  grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(grpc::CallbackServerContext* context) override {
    return new Dialogue<Request, Response>(authenticator_.Check(*context), services_);  // deletes itself
  }

 private:
  const Authenticator& authenticator_;
  const std::vector<std::string> services_;
};

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> MakeReflectionServices(const Authenticator* authenticator,
                                                                   std::vector<std::string> services) {
  namespace v1 = grpc::reflection::v1;
  namespace v1alpha = grpc::reflection::v1alpha;
  services.push_back(v1::ServerReflection::service_full_name());
  services.push_back(v1alpha::ServerReflection::service_full_name());
  std::vector<std::unique_ptr<grpc::Service>> out;
  out.push_back(std::make_unique<Reflection<v1::ServerReflection::CallbackService, v1::ServerReflectionRequest,
                                            v1::ServerReflectionResponse>>(authenticator, services));
  out.push_back(
      std::make_unique<Reflection<v1alpha::ServerReflection::CallbackService, v1alpha::ServerReflectionRequest,
                                  v1alpha::ServerReflectionResponse>>(authenticator, services));
  return out;
}

}  // namespace tuner::server
