// What makes a write the same write again: its id and its payload.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string_view>

#include "stock/domain/movement.h"
#include "stock/ledger/write.h"

namespace stock::rpc {

// A random (version 4) UUID.
domain::Uuid make_request_id();

// SHA-256 of a method's name and its request, which must not contain the request id any more.
ledger::Digest digest_of(std::string_view method, const google::protobuf::MessageLite& payload);

}  // namespace stock::rpc
