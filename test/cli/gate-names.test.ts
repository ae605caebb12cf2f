/** Gated files by other names: other mounts, other mount namespaces, links, and no name at all. */
import { describe, expect } from "bun:test";
import { copyFileSync, linkSync } from "node:fs";
import { denied, gated, outcome, outcomeOf } from "../gate/gated.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { Mount } from "../helpers/mount.ts";

const rootTest = requires({ root: "gates", tools: ["unshare", "mount"] });

function denying(watch: string, more = ""): string {
  return `[[gate]]\nname = "no"\nwatch = "${watch}"\nrecursive = true\non = "open_perm"\nverdict = "deny"\n${more}\n`;
}

function allowing(watch: string): string {
  return `[[gate]]\nname = "yes"\nwatch = "${watch}"\nrecursive = true\non = "open_perm"\nverdict = "allow"\n`;
}

function bind(from: string, to: string): Mount {
  const { success, stderr } = Bun.spawnSync(["mount", "--bind", from, to]);
  if (!success) throw new Error(stderr.toString());
  return new Mount(to);
}

/** In a mount namespace that anybody may make. */
function unshared(line: string): string {
  return outcome("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", line);
}

describe("a gate on a directory holds what is opened", () => {
  rootTest("by way of a bind mount, from before the gate and from after it", async () => {
    const directory = tempDir();
    directory.write("gated/sub/secret");
    using _ = bind(directory.mkdir("gated"), directory.mkdir("before"));
    await using _facron = await gated(denying(directory.join("gated")));
    expect(outcome("cat", directory.join("before/sub/secret"))).toBe(denied);
    using _after = bind(directory.mkdir("gated/sub"), directory.mkdir("after"));
    expect(outcome("cat", directory.join("after/secret"))).toBe(denied);
  });

  rootTest("in a mount namespace of its own, by whatever name", async () => {
    const directory = tempDir();
    const [from, to] = [directory.join("gated"), directory.mkdir("open")];
    directory.write("gated/sub/secret");
    directory.write("free");
    await using _ = await gated(denying(from));
    expect(unshared(`cat ${from}/sub/secret`)).toBe(denied);
    expect(unshared(`mount --bind ${from}/sub ${to} && cat ${to}/secret`)).toBe(denied);
    expect(unshared(`mount --rbind / ${to} && cat ${to}${from}/sub/secret`)).toBe(denied);
    expect(unshared(`cat ${directory.join("free")}`)).toBe("ok");
  });

  rootTest("in such a namespace by the name of what an earlier gate allows", async () => {
    const directory = tempDir();
    const [open, closed] = [directory.mkdir("open"), directory.mkdir("closed")];
    directory.write("closed/secret");
    directory.write("open/secret");
    await using _ = await gated(allowing(open) + denying(closed));
    expect(outcome("cat", `${open}/secret`)).toBe("ok");
    expect(unshared(`mount --bind ${closed} ${open} && cat ${open}/secret`)).toBe(denied);
    expect(unshared(`mount --bind ${open} ${closed} && cat ${closed}/secret`)).toBe("ok");
  });

  rootTest("by way of a mount that is somewhere else than a moment ago", async () => {
    const directory = tempDir();
    const from = directory.join("gated");
    directory.write("gated/public/known");
    directory.write("gated/secret");
    const [first, second] = [directory.mkdir("first"), directory.mkdir("second")];
    await using _ = await gated(denying(from, 'exclude = ["public/"]'));
    const known = `mount --bind ${from} ${first} && cat ${first}/public/known`;
    expect(unshared(`${known} && cat ${first}/secret`)).toBe(denied);
    expect(unshared(`${known} && mount --move ${first} ${second} && cat ${second}/secret`)).toBe(
      denied,
    );
    const lower = `mkdir ${first}/public`; // to a place where its name would be of what is excluded
    const placed = `mount --move ${first} ${second} && ${lower} && mount --move ${second} ${first}/public`;
    expect(unshared(`${known} && ${placed} && cat ${first}/public/secret`)).toBe(denied);
  });

  rootTest("in such a namespace below a root of its own", async () => {
    const directory = tempDir();
    const [parent, top] = [directory.mkdir("srv"), directory.mkdir("top")];
    for (const name of ["public", "private"]) directory.write(`srv/${name}/secret`);
    await using _ = await gated(allowing(`${parent}/public`) + denying(`${parent}/private`));
    for (const below of ["public", "public/public"]) {
      const point = `${top}/${below}`;
      const made = `mount -t tmpfs none ${top} && mkdir -p ${top}/old ${point} && mount --bind ${parent} ${point}`;
      const inside = below.slice("public".length);
      const opened = `perl -MPOSIX -e '${openedInside}' ${top} ${inside}/private/secret`;
      expect(unshared(`${made} && ${opened}`)).toBe(denied);
    }
  });

  rootTest("by way of a mount that is in no namespace any more", async () => {
    const directory = tempDir();
    const [from, to] = [directory.join("gated"), directory.mkdir("other")];
    directory.write("gated/secret.no");
    directory.write("gated/plain");
    await using _ = await gated(denying(from, 'include = ["*.no"]'));
    const detached = (name: string) =>
      `mount --bind ${from} ${to} && cd ${to} && umount -l ${to} && cat ${name}`;
    expect(unshared(detached("secret.no"))).toBe(denied);
    expect(unshared(detached("plain"))).toBe("ok");
  });

  rootTest("when it has no name any more, and under the one it had", async () => {
    const directory = tempDir();
    directory.write("gated/secret.no");
    directory.write("gated/plain");
    directory.write("gated/really (deleted)");
    const toml = denying(directory.join("gated"), 'include = ["*.no", "really (deleted)"]');
    await using _ = await gated(toml);
    // O_PATH asks nobody: what it leads to is opened afterwards, with its name gone.
    const again = (name: string) =>
      outcome("perl", "-e", openedAgain, directory.join("gated", name));
    expect(again("secret.no")).toBe(denied);
    expect(again("plain")).toBe("ok");
    expect(outcome("cat", directory.join("gated/really (deleted)"))).toBe(denied);
  });
});

/** A directory becomes the root of the namespace, and its "public" that of the process, which opens a file. */
const openedInside = `
  my $pivot = (POSIX::uname())[4] eq "x86_64" ? 155 : 41;
  chdir $ARGV[0] or die "chdir: $!\\n";
  my ($new, $old) = (".", "old");
  syscall($pivot, $new, $old) == 0 or die "pivot_root: $!\\n";
  chroot "/public" or die "chroot: $!\\n";
  open(my $file, "<", $ARGV[1]) or die "open: $!\\n";
`;

/** $O_PATH, then the end of its name, then the same file by its descriptor. */
const openedAgain = `
  use Fcntl;
  sysopen(my $path, $ARGV[0], 010000000) or die "O_PATH: $!\\n";
  unlink $ARGV[0] or die "unlink: $!\\n";
  open(my $file, "<", "/proc/self/fd/" . fileno($path)) or die "open: $!\\n";
`;

describe("a gate on a file holds it", () => {
  rootTest("by any other link to it, and by way of a mount of it", async () => {
    const directory = tempDir();
    const file = directory.write("dir/secret");
    directory.mkdir("other");
    linkSync(file, directory.join("other/link"));
    directory.write("other/beside");
    using _ = bind(file, directory.write("mounted"));
    await using _facron = await gated(denying(file));
    expect(outcome("cat", file)).toBe(denied);
    expect(outcome("cat", directory.join("other/link"))).toBe(denied);
    expect(outcome("cat", directory.join("mounted"))).toBe(denied);
    expect(outcome("cat", directory.join("other/beside"))).toBe("ok");
    const mounted = `mount --bind ${file} ${directory.join("other/beside")}`;
    expect(unshared(`${mounted} && cat ${directory.join("other/beside")}`)).toBe(denied);
  });
});

describe("a gate for a program", () => {
  /** Only "reader" may open what is in the directory. */
  const only = (watch: string, reader: string) =>
    `${allowing(watch)}actor = { exe = "${reader}" }\n${denying(watch)}`;

  const copyOfCat = (to: string) => {
    copyFileSync("/bin/cat", to);
    return to;
  };

  rootTest("is not for another that has its name in a mount namespace", async () => {
    const directory = tempDir({ on: "disk" });
    const file = directory.write("gated/secret");
    const [reader, other] = ["reader", "other"].map((name) => copyOfCat(directory.join(name)));
    const toml = only(directory.join("gated"), reader!);
    await using facron = await gated(toml, ["--gate-log", "all"]);
    expect(outcome(reader!, file)).toBe("ok");
    expect(outcome(other!, file)).toBe(denied);
    expect(unshared(`mount --bind ${other} ${reader} && ${reader} ${file}`)).toBe(denied);
    await facron.waitForEvent(
      "the other",
      ({ exe, verdict }) => exe === other && verdict === "deny",
    );
  });

  rootTest("is for it in a mount namespace too, whatever its name there", async () => {
    const directory = tempDir({ on: "disk" });
    const file = directory.write("gated/secret");
    const [reader, other] = ["reader", "other"].map((name) => copyOfCat(directory.join(name)));
    await using _ = await gated(only(directory.join("gated"), reader!));
    expect(unshared(`${reader} ${file}`)).toBe("ok");
    expect(unshared(`mount --bind ${reader} ${other} && ${other} ${file}`)).toBe("ok");
  });

  rootTest("is not for one that is nowhere in our own mount namespace", async () => {
    const directory = tempDir({ on: "disk" });
    const file = directory.write("gated/secret");
    const place = directory.mkdir("bin");
    const reader = copyOfCat(directory.join("bin/reader"));
    await using facron = await gated(only(directory.join("gated"), reader));
    const inMemory = `mount -t tmpfs none ${place} && cp /bin/cat ${reader} && ${reader} ${file}`;
    expect(unshared(inMemory)).toBe(denied);
    await facron.waitForEvent("the unknown", (line) => line.verdict === "deny" && !("exe" in line));
  });
});

describe("a pipe in a gated directory", () => {
  rootTest("is opened by both ends, and nobody hangs", async () => {
    const directory = tempDir();
    const pipe = `${directory.mkdir("open")}/pipe`;
    Bun.spawnSync(["mkfifo", pipe]);
    directory.write("open/file");
    await using facron = await gated(allowing(directory.join("open")), ["--gate-log", "all"]);
    // Older kernels ask about both ends, and open the pipe for us; 6.18 asks about neither.
    expect(outcomeOf(`echo text > ${pipe} & cat ${pipe} && wait`)).toBe("ok");
    expect(outcome("cat", directory.join("open/file"))).toBe("ok");
    await facron.waitForEvent("the file", ({ path }) => path === directory.join("open/file"));
    expect(facron.log).not.toContain("could not be read");
  });
});
