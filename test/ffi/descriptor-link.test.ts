/** Names of open files by /proc/self/fd: real descriptors, real names. */
import { expect, test } from "bun:test";
import { linkSync, renameSync, rmSync } from "node:fs";
import { fromLatin1, latin1Before, utf8 } from "../../ffi/bytes.ts";
import { DescriptorLinks } from "../../ffi/descriptor-link.ts";
import { duplicate, O, openFd } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { cPath } from "../helpers/c-path.ts";
import { tempDir } from "../helpers/temp-dir.ts";

function nameOf(links: DescriptorLinks, fd: number): string {
  return latin1Before(links.path, links.read(fd));
}

test("a file has the name that it has now, and says when it has none any more", () => {
  using links = new DescriptorLinks();
  const directory = tempDir();
  using file = openFd(cPath(directory.write("a")), O.RDONLY);
  expect(nameOf(links, file.number)).toBe(directory.join("a"));
  renameSync(directory.join("a"), directory.join("longer"));
  expect(nameOf(links, file.number)).toBe(directory.join("longer"));
  linkSync(directory.join("longer"), directory.join("other"));
  rmSync(directory.join("longer"));
  expect(nameOf(links, file.number)).toBe(`${directory.join("longer")} (deleted)`);
});

test("a name that is not UTF-8 is given byte for byte", () => {
  using links = new DescriptorLinks();
  const directory = tempDir();
  const path = fromLatin1(`${directory.path}/\xff\xfe\x01`);
  using file = openFd(new Uint8Array([...path, 0]), O.WRONLY | O.CREAT);
  expect(nameOf(links, file.number)).toBe(`${directory.path}/\xff\xfe\x01`);
});

test("descriptors of any number of digits", () => {
  using links = new DescriptorLinks();
  using file = openFd(utf8("/dev/null\0"), O.RDONLY);
  const copies: number[] = [];
  for (let fd = 0; fd < 1_005;) copies.push((fd = duplicate(file.number)));
  try {
    const named = copies.filter((fd) => nameOf(links, fd) === "/dev/null");
    expect(named).toEqual(copies);
  } finally {
    for (const fd of copies) libc.close(fd);
  }
});

test("a name that is longer than PATH_MAX, and a descriptor that is none, give 0 bytes", () => {
  using links = new DescriptorLinks();
  const directory = tempDir();
  const deep = Array.from({ length: 9 }, () => "d".repeat(250)).join("/");
  const [upper, lower] = [directory.mkdir(`upper/${deep}`), directory.mkdir(`lower/${deep}`)];
  using file = openFd(cPath(lower), O.RDONLY | O.DIRECTORY);
  expect(nameOf(links, file.number)).toBe(lower);
  renameSync(directory.join("lower"), `${upper}/lower`);
  expect(links.read(file.number)).toBe(0);
  expect(links.read(99_999)).toBe(0);
  renameSync(`${upper}/lower`, directory.join("lower")); // rm could not name what is in there
});
