#include "stock/rpc/request_identity.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string>

namespace stock::rpc {

domain::Uuid make_request_id() {
  domain::Uuid id{};
  RAND_bytes(id.data(), static_cast<int>(id.size()));
  id[6] = static_cast<std::uint8_t>((id[6] & 0x0F) | 0x40);
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3F) | 0x80);
  return id;
}

ledger::Digest digest_of(std::string_view method, const google::protobuf::MessageLite& payload) {
  // Fields are serialized in order and there are no maps, so that equal requests give equal bytes.
  std::string bytes(method);
  bytes += '\0';
  payload.AppendToString(&bytes);
  // Looked up once; EVP_sha256() is at each use.
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  ledger::Digest digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, sha256, nullptr);
  return digest;
}

}  // namespace stock::rpc
