#include "compiler/model/inode_layer.hpp"

#include <utility>

namespace agp::model {

InodeAnswer rights_at(const InodeLayer& layer, std::string_view path, bool beneath) {
  const InodeCell* around = nullptr;
  for (const InodeCell& cell : layer.cells) {
    if (cell.base == path)
      return beneath ? InodeAnswer{cell.beneath, cell.absent_beneath, cell.place}
                     : InodeAnswer{cell.at, cell.absent_at, cell.place};
    const bool above = cell.base == "/" || (path.starts_with(cell.base) && path[cell.base.size()] == '/');
    if (above && (around == nullptr || around->base.size() < cell.base.size())) around = &cell;
  }
  return around != nullptr ? InodeAnswer{around->beneath, around->absent_beneath, around->place} : InodeAnswer{};
}

std::string_view right_name(InodeRights right) {
  constexpr std::pair<InodeRights, std::string_view> names[] = {{inode::read, "read"},
                                                                {inode::list, "list"},
                                                                {inode::exec, "exec"},
                                                                {inode::open_write, "open for writing"},
                                                                {inode::truncate, "truncate"},
                                                                {inode::attributes, "change attributes of"},
                                                                {inode::make_regular, "create a file"},
                                                                {inode::make_directory, "create a directory"},
                                                                {inode::make_socket, "create a socket"},
                                                                {inode::make_fifo, "create a fifo"},
                                                                {inode::make_symlink, "create a symbolic link"},
                                                                {inode::make_device, "create a device"},
                                                                {inode::remove_file, "remove a file"},
                                                                {inode::remove_directory, "remove a directory"},
                                                                {inode::refer, "rename or link from elsewhere"},
                                                                {inode::connect, "connect to a socket"},
                                                                {inode::ioctl, "ioctl on a device"}};
  for (const auto& [bit, name] : names)
    if ((right & bit) != 0) return name;
  return "use";
}

}  // namespace agp::model
