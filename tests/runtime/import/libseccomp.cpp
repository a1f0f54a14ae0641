// A seccomp profile -> the program that runc loads for it, made by the libseccomp of this machine. Arguments: the
// profile, the file to write.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "tests/unit/seccomp/oci.hpp"

int main(int count, char** arguments) {
  if (count != 3) return 2;
  std::ifstream in(arguments[1], std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(in), {}};
  const agp::test::Bpf program = agp::test::runc_program(json);
  if (program.empty()) {
    std::fprintf(stderr, "libseccomp or runc refuses the profile\n");
    return 1;
  }
  std::ofstream out(arguments[2], std::ios::binary);
  for (const auto& i : program) {
    const unsigned char bytes[8] = {static_cast<unsigned char>(i.code),    static_cast<unsigned char>(i.code >> 8),
                                    static_cast<unsigned char>(i.jt),      static_cast<unsigned char>(i.jf),
                                    static_cast<unsigned char>(i.k),       static_cast<unsigned char>(i.k >> 8),
                                    static_cast<unsigned char>(i.k >> 16), static_cast<unsigned char>(i.k >> 24)};
    out.write(reinterpret_cast<const char*>(bytes), sizeof bytes);
  }
  return out ? 0 : 1;
}
