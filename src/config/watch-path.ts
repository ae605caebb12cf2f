/** Paths as rules want them: absolute and without what says nothing. */
import { fromLatin1 } from "../../ffi/bytes.ts";

/**
 * `path`, absolute, without empty components, "." and the trailing slash.
 *
 * ".." stays: after a symbolic link it leads elsewhere than the text says, and only the kernel knows.
 *
 * @param path one char for one byte, like `cwd`
 */
export function absolutePath(path: string, cwd: string): Uint8Array {
  const whole = path.startsWith("/") ? path : `${cwd}/${path}`;
  const components = whole.split("/").filter((component) => component !== "" && component !== ".");
  return fromLatin1(`/${components.join("/")}`);
}
