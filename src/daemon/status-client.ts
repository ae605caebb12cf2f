/** The other end of the socket for status: asking a facron, and seeing that there is none any more. */
import type { Socket } from "bun";
import { lstatSync, unlinkSync } from "node:fs";
import { statusRequest } from "./status-socket.ts";

/** What a facron with thousands of rules says is a hundredth of it. */
const answerBytesMax = 64 * 1024 * 1024;

export type Answer =
  | { readonly kind: "answer"; readonly text: string }
  /** Nobody listens: its facron has gone without taking it away. */
  | { readonly kind: "dead" }
  /** There is no socket. */
  | { readonly kind: "nothing" }
  /** It belongs to another user. */
  | { readonly kind: "forbidden" }
  | { readonly kind: "silent"; readonly why: string };

/** @param deadlineMs for all of it: whoever is stopped takes the question, and says nothing */
export function askStatus(path: string, deadlineMs: number): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let socket: Socket | null = null;
  const silent = (why: string): void => resolve({ kind: "silent", why });
  const timer = setTimeout(() => silent(`no answer for ${deadlineMs / 1000} s`), deadlineMs);
  void promise.then(() => {
    clearTimeout(timer);
    socket?.terminate();
  });
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const over = (): void => {
    const text = Buffer.concat(pieces).toString();
    if (text.endsWith("\n")) resolve({ kind: "answer", text });
    else silent("its answer was cut short");
  };
  void Bun.connect({
    unix: path,
    socket: {
      open: (opened) => {
        socket = opened;
        opened.write(statusRequest);
      },
      data: (_, piece) => {
        pieces.push(piece.slice());
        bytes += piece.length;
        if (bytes > answerBytesMax) silent("its answer is endless");
      },
      end: over,
      close: over,
      error: (_, error) => silent(error.message),
    },
  }).catch((error: NodeJS.ErrnoException) => resolve(refusal(error)));
  return promise;
}

function refusal({ code, message }: NodeJS.ErrnoException): Answer {
  if (code === "ECONNREFUSED") return { kind: "dead" };
  if (code === "ENOENT" || code === "ENOTDIR") return { kind: "nothing" };
  if (code === "EACCES" || code === "EPERM") return { kind: "forbidden" };
  return { kind: "silent", why: code ?? message };
}

/** Take away those of `paths` that nobody listens to, where we may. */
export async function removeDeadSockets(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map(removeIfDead));
}

async function removeIfDead(path: string): Promise<void> {
  const inode = socketInode(path);
  if (inode === null || !(await isDead(path))) return;
  // A facron that has the same pid by now has put another in its place.
  if (socketInode(path) === inode) removeIfAllowed(path);
}

async function isDead(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data: () => {} } });
    socket.terminate();
    return false;
  } catch (error) {
    return refusal(error as NodeJS.ErrnoException).kind === "dead";
  }
}

function socketInode(path: string): number | null {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status?.isSocket() === true ? status.ino : null;
}

export function removeIfAllowed(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    return; // gone, or another user's
  }
}
