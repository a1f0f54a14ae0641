#include <iostream>
#include <string>
#include <thread>

#include "answer.h"

int main() {
#ifdef SHARED
  const std::string kind = "shared";
#else
  const std::string kind = "static";
#endif
  int value = 0;
  std::thread([&] { value = answer(1764.0); }).join();
  std::cout << kind << ' ' << value << std::endl;
}
