import { defineConfig } from "vitest/config";
import solid from "vite-plugin-solid";

// The page lives under a secret path (/TOKEN/), so every URL in it is relative.
export default defineConfig(({ mode }) => ({
  base: "./",
  plugins: mode === "test" ? [] : [solid()],
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  test: {
    include: ["tests/unit/**/*.test.ts"],
    environment: "node",
  },
}));
