// SPDX-License-Identifier: Apache-2.0
import type {
  ContentIframe as ContentIframeMessage,
  ContentItem as ContentItemMessage,
  ContentWindow as ContentWindowMessage,
} from "./gen/ltisidecar/v1/content_item.js";
import type { BrowserReply } from "./browser.js";
import { fromMembers, type Members } from "./json_text.js";
import { fromLineItem, type LineItem } from "./line_item.js";
import type { CallOptions } from "./transport.js";

/** ContentImage is an icon or a thumbnail. Sizes are in pixels. */
export interface ContentImage {
  readonly uri: string;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** ContentWindow opens an item in a window. Sizes are in pixels. */
export interface ContentWindow {
  /** Items with the same name share a window. */
  readonly targetName?: string | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** As window.open of browsers takes them. */
  readonly windowFeatures?: string | undefined;
}

/** ContentIframe shows an item in a frame. Sizes are in pixels. */
export interface ContentIframe {
  /** Source of the frame: required for a link, and must be unset for a resource link. */
  readonly srcUri?: string | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** TimeWindow is a span of time; either end may be open. */
export interface TimeWindow {
  readonly startTime?: Date | undefined;
  readonly endTime?: Date | undefined;
}

interface Common {
  readonly title?: string | undefined;
  /** Platforms may take it as HTML. */
  readonly text?: string | undefined;
  /** Members to add to the item, by absolute URIs. */
  readonly extensions?: Members | undefined;
}

interface Pictured extends Common {
  readonly icon?: ContentImage | undefined;
  readonly thumbnail?: ContentImage | undefined;
}

/** LinkItem is a link to a web page. */
export interface LinkItem extends Pictured {
  readonly type: "link";
  readonly uri: string;
  /** HTML to embed in place of the link. */
  readonly embedHtml?: string | undefined;
  readonly window?: ContentWindow | undefined;
  readonly iframe?: ContentIframe | undefined;
}

/** ResourceLinkItem is a link back to the tool. */
export interface ResourceLinkItem extends Pictured {
  readonly type: "ltiResourceLink";
  /** What launches of the link will have as targetLinkUri. Unset: the tool's own default. */
  readonly uri?: string | undefined;
  /** Custom parameters that launches of the link will have. */
  readonly custom?: Readonly<Record<string, string>> | undefined;
  readonly window?: ContentWindow | undefined;
  readonly iframe?: ContentIframe | undefined;
  /** Column to make for the link; `scoreMaximum` is required. Unset for an ungraded link. */
  readonly lineItem?: LineItem | undefined;
  readonly available?: TimeWindow | undefined;
  readonly submission?: TimeWindow | undefined;
}

/** FileItem is a file for the platform to fetch and keep. */
export interface FileItem extends Pictured {
  readonly type: "file";
  readonly uri: string;
  /** When the URI ceases to work. */
  readonly expireTime?: Date | undefined;
  /** Such as `application/pdf`. */
  readonly mediaType?: string | undefined;
}

/** HtmlItem is a fragment of HTML to put into the page. */
export interface HtmlItem extends Common {
  readonly type: "html";
  readonly html: string;
}

/** ImageItem is an image to show. Sizes are in pixels. */
export interface ImageItem extends Pictured {
  readonly type: "image";
  readonly uri: string;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** AssetProcessorItem is an asset processor to attach to an activity. */
export interface AssetProcessorItem extends Pictured {
  readonly type: "ltiAssetProcessor";
  /** What launches of the processor will have as targetLinkUri. Unset: the tool's own default. */
  readonly uri?: string | undefined;
  readonly custom?: Readonly<Record<string, string>> | undefined;
  /** Report settings, sent as they are. */
  readonly report?: Members | undefined;
}

/** OtherItem is an item of any other type that the platform accepts. */
export interface OtherItem extends Pictured {
  readonly type: "other";
  /** Type as the platform lists it under `acceptTypes`. */
  readonly otherType: string;
  /** Added to the item as they are. */
  readonly members?: Members | undefined;
}

/** ContentItem is one thing that an author chose. Its `type` is as platforms write it. */
export type ContentItem =
  | LinkItem
  | ResourceLinkItem
  | FileItem
  | HtmlItem
  | ImageItem
  | AssetProcessorItem
  | OtherItem;

/** DeepLinkingOptions go with the content items. */
export interface DeepLinkingOptions extends CallOptions {
  /** For the author to read at the platform. */
  readonly message?: string | undefined;
  /** For the platform's log. */
  readonly log?: string | undefined;
  /** For the author to read at the platform. */
  readonly errorMessage?: string | undefined;
  /** For the platform's log. */
  readonly errorLog?: string | undefined;
  /** Nonce of the tool's own Content-Security-Policy. */
  readonly cspNonce?: string | undefined;
}

/** DeepLinkingResponse is the signed message that takes content items to the platform, and the page that sends it. */
export interface DeepLinkingResponse {
  /** Reply to send to the browser. */
  readonly reply: BrowserReply;
  /** Where the page posts to, for logs and tests. */
  readonly returnUri: string;
  /** The message, for tools that post it themselves in the form field JWT. */
  readonly jwt: string;
}

export function fromContentItem(item: ContentItem): ContentItemMessage {
  const { icon, thumbnail } = item as Pictured;
  return {
    title: item.title ?? "",
    text: item.text ?? "",
    icon: icon && fromImage(icon),
    thumbnail: thumbnail && fromImage(thumbnail),
    extensionsJson: fromMembers(item.extensions),
    kind: kindOf(item),
  };
}

function kindOf(item: ContentItem): ContentItemMessage["kind"] {
  switch (item.type) {
    case "link":
      return {
        $case: "link",
        value: {
          uri: item.uri,
          embedHtml: item.embedHtml ?? "",
          window: fromWindow(item.window),
          iframe: fromIframe(item.iframe),
        },
      };
    case "ltiResourceLink":
      return {
        $case: "resourceLink",
        value: {
          uri: item.uri ?? "",
          custom: { ...item.custom },
          window: fromWindow(item.window),
          iframe: fromIframe(item.iframe),
          lineItem: item.lineItem && fromLineItem(item.lineItem),
          available: fromTimeWindow(item.available),
          submission: fromTimeWindow(item.submission),
        },
      };
    case "file":
      return { $case: "file", value: { uri: item.uri, expireTime: item.expireTime, mediaType: item.mediaType ?? "" } };
    case "html":
      return { $case: "html", value: { html: item.html } };
    case "image":
      return { $case: "image", value: fromImage(item) };
    case "ltiAssetProcessor":
      return {
        $case: "assetProcessor",
        value: { uri: item.uri ?? "", custom: { ...item.custom }, reportJson: fromMembers(item.report) },
      };
    case "other":
      return { $case: "other", value: { type: item.otherType, membersJson: fromMembers(item.members) } };
    default:
      throw new TypeError(`type: ${String((item as { type: unknown }).type)} is no type of a content item`);
  }
}

function fromImage({ uri, width = 0, height = 0 }: ContentImage): { uri: string; width: number; height: number } {
  return { uri, width, height };
}

function fromWindow(window: ContentWindow | undefined): ContentWindowMessage | undefined {
  if (!window) return undefined;
  const { targetName = "", width = 0, height = 0, windowFeatures = "" } = window;
  return { targetName, width, height, windowFeatures };
}

function fromIframe(iframe: ContentIframe | undefined): ContentIframeMessage | undefined {
  if (!iframe) return undefined;
  const { srcUri = "", width = 0, height = 0 } = iframe;
  return { srcUri, width, height };
}

function fromTimeWindow(window: TimeWindow | undefined): { startTime: Date | undefined; endTime: Date | undefined } | undefined {
  return window && { startTime: window.startTime, endTime: window.endTime };
}
